// @SHIFT@
'use strict';
const fs = require('fs');
const net = require('net');
const assert = require('assert');
const { EventEmitter } = require('events');
const { Worker, isMainThread } = require('worker_threads');
const [, , fault, seedText] = process.argv;
const seed = Number(seedText);
const uuid = require('crypto').createHash('md5').update(seedText).digest('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
const user = ['ann', 'bob', 'carla', 'dora', 'eve'][seed % 5];
const tick = () => new Promise((resolve) => setImmediate(resolve));

// @SHIFT@
class Board {
  #cards = new Map();
  // @SHIFT@
  constructor(title) {
    this.title = title;
  }

  async card(id) {
    // @SHIFT@
    await tick();
    return this.#cards.get(id);
  }

  async ownerOf(id) {
    // @SHIFT@
    const card = await this.card(id);
    return card.owner;
  }

  static size(board) {
    // @SHIFT@
    return board.#cards.size;
  }
}

async function connect(port) {
  // @SHIFT@
  return new Promise((resolve, reject) => net.connect(port, '127.0.0.1').on('connect', resolve).on('error', reject));
}

async function parseBoard(text) {
  // @SHIFT@
  if (seed % 2) await tick();
  return JSON.parse(text);
}

async function loadBoard(name) {
  // @SHIFT@
  await tick();
  return parseBoard(`{"name": "${name}", cards: }`);
}

function checkOrder(cards) {
  // @SHIFT@
  assert.deepStrictEqual(cards, [{ id: seed, place: 1 }, { id: seed + 1, place: 2 }]);
}

function dueDate(text) {
  // @SHIFT@
  return new Date(text).toISOString();
}

function move(card, to) {
  // @SHIFT@
  if (!card) throw new RangeError(`card ${seed} is not on board ${uuid}`);
  // @SHIFT@
  if (to < 0) throw new RangeError(`place ${to} lies before the first column of ${user}`);
  return to;
}

const faults = {
  any_refused: async () => {
    // @SHIFT@
    await Promise.any([connect(9 + seed % 3), connect(3)]);
  },
  cause: async () => {
    // @SHIFT@
    try {
      await new Board('a').ownerOf(seed);
    } catch (error) {
      throw new Error(`cannot notify the owner of card ${seed}`, { cause: error });
    }
  },
  owner: () => new Board('b').ownerOf(seed),
  rejected_object: () => {
    // @SHIFT@
    Promise.reject({ code: seed });
  },
  bad_board: () => loadBoard(user),
  stream: () => {
    // @SHIFT@
    fs.createReadStream(`/srv/boards/${uuid}.json`).pipe(process.stdout);
  },
  emitter: () => {
    // @SHIFT@
    const bus = new EventEmitter();
    bus.emit('error', Object.assign(new Error(`lost the connection to broker-${seed}`), { code: 'ECONNRESET', attempt: seed }));
  },
  private_member: () => Board.size({ title: user }),
  charged: async () => {
    // @SHIFT@
    try {
      await connect(seed % 7 + 2);
    } catch (error) {
      console.error(`[${new Date(seed * 1e9).toISOString()}] ERROR cannot charge ${user}`, error);
    }
  },
  in_worker: () => {
    // @SHIFT@
    if (isMainThread) new Worker(__filename, { argv: ['in_worker', seedText] });
    else faults.private_member();
  },
  directory: () => {
    // @SHIFT@
    fs.readFileSync(seed % 2 ? '/tmp' : '/etc');
  },
  order: () => checkOrder([{ id: seed, place: 1 }]),
  mixed: () => {
    // @SHIFT@
    return BigInt(seed) + seed;
  },
  due: () => dueDate(`2026-${13 + seed}-40`),
  later: () => {
    // @SHIFT@
    setTimeout(() => {
      columns.forEach((column) => column.close());
    }, seed % 10);
  },
  no_card: () => move(null, 1),
  no_place: () => move({}, -seed),
  json_line: async () => {
    // @SHIFT@
    try {
      await new Board('c').ownerOf(seed);
    } catch (err) {
      console.log(JSON.stringify({ level: 50, time: 1777000000000 + seed, pid: seed, hostname: 'web-' + seed, reqId: uuid, err: { type: err.name, message: err.message, stack: err.stack }, msg: err.message }));
    }
  },
  quota: () => console.error(`${new Date(seed * 1e10).toISOString()} [error] job ${uuid} failed after ${seed}ms: quota exceeded for tenant ${user}`),
  esm: () => import(`./lib/${'columns'}.mjs`),
  package: () => import('left-pad-board'),
  heap: () => {
    // @SHIFT@
    const all = [];
    for (;;) all.push(new Array(1000 + seed).fill({}));
  },
  not_function: async () => {
    // @SHIFT@
    const plugins = [{ name: user }];
    await Promise.all(plugins.map(async (plugin) => plugin.activate(seed)));
  },
  aborted: async () => {
    // @SHIFT@
    const signal = AbortSignal.timeout(1);
    await new Promise((resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)) || setTimeout(resolve, 500));
  },
};

// @SHIFT@
const result = fault === 'heap' ? faults.heap() : faults[fault]();
if (isMainThread && seed % 2) Promise.resolve(result).then(() => {});
