// sharded.test.mjs -- the sharded adapter of @socket.io/redis-adapter, in each of
// its subscription modes, and what only it has.
//
// SPDX-License-Identifier: MIT
import { test } from "node:test";
import { BROADCASTS, HUGE } from "./broadcasts.mjs";
import { REQUESTS } from "./requests.mjs";
import { DIRECTIONS, play } from "./world.mjs";

// The numbers of what is the same with the classic adapter belong there.
const again = (scenes) => scenes.map(([name, ...rest]) => [name.replace(/^(R\d+ ?)+: /, ""), ...rest]);

for (const mode of ["dynamic", "static", "dynamic-private"])
  test(`sharded ${mode}`, (t) => play(t, `sharded ${mode}`, DIRECTIONS,
    () => ({ adapter: "sharded", recovery: 0, ...(mode === "dynamic" ? {} : { mode }) }),
    again([...BROADCASTS, HUGE, ...REQUESTS])));
