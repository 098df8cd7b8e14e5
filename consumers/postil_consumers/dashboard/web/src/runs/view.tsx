/** The view of all runs. */

import { useSignalEffect } from "@preact/signals";
import type { JSX } from "preact";
import buttons from "../components/controls/button.module.css";
import layout from "../components/layout/view.module.css";
import { Empty } from "../components/states/empty";
import { Failed } from "../components/states/failed";
import { Skeleton } from "../components/states/skeleton";
import { place, setQuery } from "../routing/router";
import { Filter } from "./filter";
import { FirstSteps } from "./first-steps";
import { List } from "./list";
import { failed, filterFrom, loading, rows, show } from "./store";

/** Shows the filter and the runs that match it. */
export function RunsView(): JSX.Element {
  useSignalEffect(() => show(filterFrom(place.value.query)));
  const filter = filterFrom(place.value.query);
  const filtered = filter.status.length > 0 || filter.q !== "";
  const list = rows.value;
  return (
    <div class={layout.view}>
      <h1 class="sr">Runs</h1>
      <Filter />
      {failed.value && !failed.value.isTransient && <Failed failure={failed.value} />}
      {list.length > 0 ? (
        <List list={list} />
      ) : loading.value || failed.value ? (
        <Skeleton lines={12} label="Loading runs" />
      ) : filtered ? (
        <Empty title="No run matches this filter.">
          <button
            type="button"
            class={buttons.button}
            onClick={() => setQuery({ status: null, q: null }, true)}
          >
            Show all runs
          </button>
        </Empty>
      ) : (
        <FirstSteps />
      )}
    </div>
  );
}
