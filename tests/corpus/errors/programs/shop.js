// @SHIFT@
const fs = require('fs');
const net = require('net');
const assert = require('assert');

const seed = Number(process.argv[3]);
const other = seed % 2 === 1;

function through(f, ...args) {
  // @SHIFT@
  return other ? [0].map(() => f(...args))[0] : f(...args);
}

function userName(session) {
  // @SHIFT@
  return session.user.name;
}

function total(order) {
  // @SHIFT@
  return order.items.reduce((sum, item) => sum + item.price * vatRate, 0);
}

function parsePayload(text) {
  // @SHIFT@
  return JSON.parse(text);
}

function readConfig(file) {
  // @SHIFT@
  return fs.readFileSync(file, 'utf8');
}

function connectCache(port) {
  // @SHIFT@
  return new Promise((resolve, reject) => {
    net.connect(port, '127.0.0.1').on('error', (cause) => {
      reject(new Error(`cache on port ${port} is not reachable`, { cause }));
    });
  });
}

function nested(depth) {
  // @SHIFT@
  return nested(depth + 1) + 1;
}

function checkStock(count) {
  // @SHIFT@
  assert.ok(count >= 0, `stock is ${count}`);
}

function makeBuffer(size) {
  // @SHIFT@
  return new Array(size);
}

class PaymentError extends Error {
  constructor(message, code) {
    super(message);
    this.name = 'PaymentError';
    this.code = code;
  }
}

class Checkout {
  pay(amount) {
    // @SHIFT@
    throw new PaymentError(`payment of ${amount} was declined`, 'E_DECLINED');
  }
}

async function fetchPrice(article) {
  // @SHIFT@
  await null;
  throw new Error(`no price for ${article}`);
}

const faults = {
  undefined_property: () => through(userName, { id: seed }),
  reference: () => total({ items: [{ price: seed }] }),
  bad_json: () => through(parsePayload, ['{', '{"a": }', '[1, 2', 'nope', '{"a" 1}'][seed % 5]),
  missing_file: () => readConfig(`/nonexistent/config-${seed}.json`),
  refused_cause: () => connectCache(1 + (seed % 7)),
  refused: () => net.connect(1 + (seed % 7), '127.0.0.1'),
  overflow: () => nested(seed),
  assertion: () => checkStock(-seed),
  range: () => makeBuffer(-seed),
  custom: () => new Checkout().pay(seed * 1.5),
  rejection: () => fetchPrice(`A-${seed}`),
  missing_module: () => require('left-pad-of-shop'),
  listening: () => {
    const first = net.createServer().listen(0, () => net.createServer().listen(first.address().port));
    setTimeout(() => process.exit(1), 2000).unref();
  },
  logged: () => {
    try {
      through(userName, {});
    } catch (error) {
      console.error('request', seed, 'failed:', error);
    }
  },
};

faults[process.argv[2]]();
