// node-adapters.mjs -- the adapters that join a Node server to a Redis, by the
// options of the role `contract`, and for the tests:
//
//     adapter=classic|sharded|streams    redis=HOST:PORT
//     prefix=NAME          what channels begin with      (all)
//     specific=1           publishOnSpecificResponseChannel   (classic)
//     requestsTimeout=MS   how long answers are waited for    (classic)
//     mode=static|dynamic|dynamic-private                (sharded)
//     cluster=1            redis is a node of a Redis Cluster (classic, sharded)
//     streams=N            streamCount                   (streams)
//
// SPDX-License-Identifier: MIT
import { createAdapter, createShardedAdapter } from "@socket.io/redis-adapter";
import { createAdapter as createStreamsAdapter } from "@socket.io/redis-streams-adapter";
import { createClient, createCluster } from "redis";

const ADAPTERS = {
  classic: (pub, sub, given) => createAdapter(pub, sub, {
    ...(given.prefix ? { key: given.prefix } : {}),
    publishOnSpecificResponseChannel: given.specific === "1",
    ...(given.requestsTimeout ? { requestsTimeout: Number(given.requestsTimeout) } : {}),
  }),
  sharded: (pub, sub, given) => createShardedAdapter(pub, sub, {
    ...(given.prefix ? { channelPrefix: given.prefix } : {}),
    ...(given.mode ? { subscriptionMode: given.mode } : {}),
  }),
  streams: (pub, _, given) => createStreamsAdapter(pub, {
    ...(given.prefix ? { channelPrefix: given.prefix, streamName: given.prefix } : {}),
    ...(given.streams ? { streamCount: Number(given.streams) } : {}),
  }),
};

// The channel on which only this node of a namespace listens.
const ownChannel = {
  classic: (adapter) => adapter.specificResponseChannel,
  sharded: (adapter) => adapter.responseChannel,
  streams: (adapter, given) => `${given.prefix ?? "socket.io"}#${adapter.nsp.name}#${adapter.uid}#`,
};

async function connect(given) {
  const [host, port] = given.redis.split(/:(?=\d+$)/);
  const client = given.cluster
    ? createCluster({ rootNodes: [{ url: `redis://${given.redis}` }] })
    : createClient({ socket: { host, port: Number(port), reconnectStrategy: 100 } });
  client.on("error", () => {}); // it connects again by itself
  await client.connect();
  return client;
}

export async function joinCluster(given) {
  const kind = given.adapter || "classic";
  const pub = await connect(given);
  const sub = kind === "streams" ? null : await connect(given);
  const command = ["PUBSUB", kind === "sharded" ? "SHARDNUMSUB" : "NUMSUB"];
  const subscribers = async (channel) => {
    const clients = given.cluster ? pub.masters.map(({ client }) => client) : [pub];
    const counts = await Promise.all(clients.map(async (client) => Number((await client.sendCommand([...command, channel]))[1])));
    return counts.reduce((sum, n) => sum + n);
  };

  return {
    adapter: ADAPTERS[kind](pub, sub, given),
    // Until Redis has taken the subscriptions of every namespace there is.
    async joined(io) {
      for (const nsp of io._nsps.values())
        while (!(await subscribers(ownChannel[kind](nsp.adapter, given))))
          await new Promise((resolve) => setTimeout(resolve, 5));
    },
  };
}
