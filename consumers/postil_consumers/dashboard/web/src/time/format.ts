/** Formats times and durations for people. */

const exactly = new Intl.DateTimeFormat(undefined, {
  weekday: "short",
  year: "numeric",
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
  timeZoneName: "short",
});
const clockTime = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const dayOfYear = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric" });

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
/** The date and time to the millisecond, with the zone. */
export const exact = (iso: string): string => `${exactly.format(new Date(iso))} (${zone})`;
/** Hours, minutes and seconds. */
export const timeOfDay = (iso: string): string => clockTime.format(new Date(iso));

/** The time before `at` (milliseconds since 1970): "now", "12 s ago", "5 min ago", "3 h ago", or the date after a week. */
export function ago(iso: string, at: number): string {
  const then = new Date(iso);
  const seconds = Math.round((at - then.getTime()) / 1000);
  if (seconds < -5) return dayOfYear.format(then);
  if (seconds < 2) return "now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  if (seconds < 7 * 86_400) return `${Math.floor(seconds / 86_400)} d ago`;
  return then.getFullYear() === new Date(at).getFullYear() ? day.format(then) : dayOfYear.format(then);
}

/** A duration in its two largest units: "830 ms", "4.2 s", "3 min 20 s", "5 d 4 h". */
export function span(ms: number): string {
  if (!Number.isFinite(ms) || ms < 0) return "–";
  if (ms < 1) return ms === 0 ? "0 ms" : "< 1 ms";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const s = ms / 1000;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 60) return `${Math.floor(s)} s`;
  const units: [number, string][] = [
    [31_557_600, "y"],
    [86_400, "d"],
    [3600, "h"],
    [60, "min"],
    [1, "s"],
  ];
  const index = units.findIndex(([size]) => s >= size);
  const [size, name] = units[index] ?? [1, "s"];
  const whole = Math.floor(s / size);
  const next = units[index + 1];
  const rest = next ? Math.floor((s - whole * size) / next[0]) : 0;
  return next && rest > 0 ? `${whole} ${name} ${rest} ${next[1]}` : `${whole} ${name}`;
}
