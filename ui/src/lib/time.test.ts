import { expect, test } from "vitest";
import { absolute, duration, nextTick, relative } from "./time";

const now = Date.UTC(2025, 10, 21, 18, 35, 4);
const second = 1000;

test.each([
  [0, "just now"],
  [-4 * second, "just now"],
  [3 * second, "just now"],
  [-12 * second, "12s ago"],
  [-59 * second, "59s ago"],
  [-60 * second, "1m ago"],
  [-3599 * second, "59m ago"],
  [-3600 * second, "1h ago"],
  [-47 * 3600 * second, "1d ago"],
  [-40 * 86_400 * second, "1mo ago"],
  [-800 * 86_400 * second, "2y ago"],
  [90 * second, "in 1m"],
])("%d ms is %s", (offset, words) => {
  expect(relative(now + offset, now)).toBe(words);
});

test("absolute times name their zone", () => {
  expect(absolute(now, true)).toBe("2025-11-21 18:35:04 UTC");
  expect(absolute(now, false)).toMatch(/^2025-11-2[12] \d\d:\d\d:04 UTC[+−]\d\d:\d\d$/);
  expect(absolute(Number.NaN, true)).toBe("");
});

test("durations take the unit that fits", () => {
  expect(duration(850.4)).toBe("850 ms");
  expect(duration(12_400)).toBe("12.4 s");
  expect(duration(200_000)).toBe("3 min 20 s");
  expect(duration(7_500_000)).toBe("2 h 5 min");
});

test("an old time is looked at less often", () => {
  expect(nextTick(now - 10_000, now)).toBe(1_000);
  expect(nextTick(now - 600_000, now)).toBe(15_000);
  expect(nextTick(now - 86_400_000, now)).toBe(60_000);
});
