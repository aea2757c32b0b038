// faults-page.mjs -- what the tests of faults have seen, as tables; and the parts
// of docs/CLUSTER.md that programs write.
//
// SPDX-License-Identifier: MIT
import { readFileSync, writeFileSync } from "node:fs";

// `text` with what stands between the marks of that name replaced by `body`.
export function withPart(text, name, body) {
  const begin = `<!-- ${name}: written by \`make ${name}\` -->`, end = `<!-- end of ${name} -->`;
  const from = text.indexOf(begin), to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`no part "${name}"`);
  return `${text.slice(0, from + begin.length)}\n\n${body.trim()}\n\n${text.slice(to)}`;
}

export function writePart(file, name, body) {
  writeFileSync(file, withPart(readFileSync(file, "utf8"), name, body));
}

const NODES = { c: "libsio", node: "Node" };
const PAIRS = ["c c", "c node", "node c", "node node"];
const WAYS = { away: "from it", back: "to it", home: "to its own", "": "" };

const pairName = (pair) => pair.split(" ").map((kind) => NODES[kind]).join(", ");

// "9 of 120 lost, 1 told; 137 ms". told: what the sender has counted, if it does.
export function cell({ sent, lost, told, healed }, mortal) {
  const loss = lost ? `${lost} of ${sent} lost` : `none of ${sent} lost`;
  const count = told === null ? "" : `, ${told} told`;
  return `${loss}${count}; ${healed === null ? "not healed" : `${healed} ms`}${mortal ? " †" : ""}`;
}

export class Faults {
  spoilt = false; // whether a test has failed: then it is not written
  #tables = new Map(); // adapter -> what -> way -> pair -> cell

  #put(adapter, what, way, pair, text) {
    const into = (map, key) => map.get(key) ?? map.set(key, new Map()).get(key);
    into(into(into(this.#tables, adapter), what), way).set(pair, text);
  }

  // ways: [{ name: "away" or "back", sent, lost, told, healed }]; mortal: the nodes
  // ("f", "t") whose process would have ended.
  add(adapter, what, kinds, ways, mortal) {
    for (const way of ways)
      this.#put(adapter, what, way.name, kinds.join(" "), cell(way, mortal.includes(way.name === "away" ? "f" : "t")));
  }

  // own: what a client of the node that is hurt has heard of itself.
  home(adapter, what, kinds, own) {
    this.#put(adapter, what, "home", kinds.join(" "), own.lost ? `${own.lost} of ${own.sent.length} lost` : `${own.delay} ms late`);
  }

  note(adapter, what, kinds, text) {
    this.#put(adapter, what, "", kinds.join(" "), text);
  }

  text() {
    const out = [];
    for (const [adapter, faults] of this.#tables) {
      out.push(`### ${adapter}`, "", `| what happens | events | ${PAIRS.map(pairName).join(" | ")} |`, "|---|---|" + "--:|".repeat(PAIRS.length));
      for (const [what, ways] of faults)
        for (const [way, pairs] of ways)
          out.push(`| ${what} | ${WAYS[way]} | ${PAIRS.map((pair) => pairs.get(pair) ?? "").join(" | ")} |`);
      out.push("");
    }
    return out.join("\n");
  }
}
