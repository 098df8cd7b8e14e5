-- What is wrong with one element of an argument. A check returns it, and its caller raises it with the
-- element's place. It is null where the element is well formed; a test must ask for `code`, because `is null`
-- on a row is true for a row of nulls too.
create type postil.fault as (
    code    text,     -- SQLSTATE
    field   text,     -- path within the element; null for the element as a whole
    message text
);
