// exit.mjs -- ends a test's process when its tests have ended: Node 20 may turn
// for ever in what comes behind "exit", waiting for handles that it has closed.
// Imported for that alone.
//
// SPDX-License-Identifier: MIT
process.on("exit", (code) => process.exit(code));
