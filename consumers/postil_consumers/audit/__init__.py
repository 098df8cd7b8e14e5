"""The audit log: what was published, kept in files that show every later change.

One log per Kafka partition, each a directory::

    00000000000000000000.ndjson   a segment, named by its first record: the exact bytes of each message, a line each
    00000000000000000000.leaves   the RFC 6962 leaf hash of each of its records, 32 bytes each
    manifest.ndjson               a hash-chained entry per durable batch: size, offsets, byte range, Merkle root
    index.sqlite                  a cache: last run_seq per run; rebuilt from the files whenever it disagrees
    lock                          held by the one process that writes

Order of effects: record bytes, then the manifest's entry, then Kafka's offset, each durable before the next.
Segments hold a fixed number of records and no time of the writer. Reading the same topic again therefore writes
the same segments. Only the manifest shows in which batches the records arrived.

What the chain cannot show: it is not signed yet. A user who can write all the files can write a whole new history,
or cut off the end and leave a shorter log that is sound in itself. `postil verify` finds both,
because Postgres and Kafka still know the events.
"""
