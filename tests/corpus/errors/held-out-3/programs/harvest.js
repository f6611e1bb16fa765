// @SHIFT@
const http = require('http'); const https = require('https'); const fs = require('fs'); const net = require('net'); const crypto = require('crypto');
const os = require('os'); const path = require('path'); const { execFileSync, execSync, spawn } = require('child_process'); const { pipeline, Readable, Transform } = require('stream');
const [, , fault, seedText] = process.argv; const seed = Number(seedText);
const farmer = ['jansen', 'OReilly', 'kowalski', 'haruto', 'm.garcia', 'zoe'][seed % 6];
const field = crypto.createHash('md5').update(seedText).digest('hex').slice(0, 24);
const port = async (server) => new Promise((done) => server.listen(0, '127.0.0.1', () => { server.unref(); done(server.address().port); }));
// @SHIFT@
class Inventory {
  #crates = new Map();
  // @SHIFT@
  crateOf(sku) {
    return this.#crates.get(sku);
  }
  // @SHIFT@
  weigh(sku) {
    return this.crateOf(sku).weight * 2;
  }
  // @SHIFT@
  async reserve(order) {
    await null;
    return seed % 2 ? order.skus.map((sku) => this.weigh(sku)) : Array.from(order.skus, (sku) => this.weigh(sku));
  }
}
class HttpError extends Error {
  // @SHIFT@
  constructor(status, message, options) { super(message, options); this.name = this.constructor.name; this.status = status; }
}
class TokenExpiredError extends Error {
  constructor(at) { super('jwt expired'); this.name = 'TokenExpiredError'; this.expiredAt = at; }
}
class PrismaClientKnownRequestError extends Error {
  constructor(message, code, meta) { super(message); this.name = 'PrismaClientKnownRequestError'; this.code = code; this.clientVersion = '5.22.0'; this.meta = meta; }
}
async function asked(handler, at = '/', middle) {
  // @SHIFT@
  const app = require('express')();
  if (middle) app.use((req, res, next) => next());
  app.get(/.*/, handler);
  await fetch(`http://127.0.0.1:${await port(http.createServer(app))}${at}`);
}
function expired() {
  // @SHIFT@
  throw new TokenExpiredError(new Date(1.7e12 + seed * 1e7));
}
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
function levelOfTank(depth) {
  // @SHIFT@
  return depth > 0 ? levelOfTank(depth - 1) : tank.level;
  let tank = { level: seed };
}
const faults = {
  express_sync: () => asked((req) => {
    // @SHIFT@
    new Inventory().weigh(req.query.sku);
  }, `/crates?sku=${field}`, seed % 2),
  express_async: () => asked(async (req) => {
    // @SHIFT@
    await null;
    throw new HttpError(500, `no silo is free for ${farmer}`);
  }, `/silos/${seed}`, seed % 2),
  pino_error: async () => {
    // @SHIFT@
    const log = require('pino')();
    try { await new Inventory().reserve(null); } catch (error) { log.error({ err: error, order: seed }, 'reservation failed'); }
  },
  pino_line: () => require('pino')({ name: 'irrigation' }).fatal({ valve: `V-${seed}`, bar: seed / 10 }, `pressure of valve V-${seed} out of range`),
  winston_json: () => {
    // @SHIFT@
    const { createLogger, format, transports } = require('winston');
    const log = createLogger({ format: format.combine(format.timestamp(), format.errors({ stack: true }), format.json()), transports: [new transports.Console()] });
    try { BigInt(`${farmer}`); } catch (error) { log.error(error); }
  },
  winston_printf: () => {
    // @SHIFT@
    const { createLogger, format, transports } = require('winston');
    const log = createLogger({ format: format.combine(format.timestamp(), format.printf((e) => `${e.timestamp} [${e.level}] ${e.message}`)), transports: [new transports.Console()] });
    log.error(`Weather API responded with status 502 Bad Gateway for station ${seed} after ${seed * 13}ms`);
  },
  axios_refused: async () => {
    // @SHIFT@
    try { await require('axios').get(`http://127.0.0.1:1/prices/${field}`); } catch (error) { console.error('Failed to fetch prices', error); }
  },
  axios_status: async () => {
    // @SHIFT@
    const at = await port(http.createServer((req, res) => { res.statusCode = 503; res.end('busy'); }));
    await require('axios').post(`http://127.0.0.1:${at}/orders`, { farmer, id: field });
  },
  axios_timeout: async () => {
    // @SHIFT@
    const at = await port(http.createServer(() => { }));
    await require('axios').get(`http://127.0.0.1:${at}/slow?id=${seed}`, { timeout: 30 + seed });
  },
  fetch_dns: async () => {
    // @SHIFT@
    await fetch(`http://market-${seed}.harvest.invalid/${field}`);
  },
  fetch_timeout: async () => {
    // @SHIFT@
    const at = await port(http.createServer(() => { }));
    await fetch(`http://127.0.0.1:${at}/${seed}`, { signal: AbortSignal.timeout(30) });
  },
  self_signed: async () => {
    // @SHIFT@
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tls-'));
    execSync(`openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -days 2 -keyout k.pem -out c.pem`, { cwd: folder, stdio: 'ignore' });
    const server = https.createServer({ key: fs.readFileSync(folder + '/k.pem'), cert: fs.readFileSync(folder + '/c.pem') }, (req, res) => res.end());
    https.get({ port: await port(server), host: '127.0.0.1', path: `/${field}` });
  },
  hang_up: async () => {
    // @SHIFT@
    const at = await port(net.createServer((socket) => socket.destroy()));
    http.get({ port: at, host: '127.0.0.1', path: `/${seed}` });
  },
  aggregate: () => {
    // @SHIFT@
    throw new AggregateError([new RangeError(`moisture ${seed} above 100`), new RangeError(`ph ${seed} above 14`)], `sample ${field} is invalid`);
  },
  unhandled_event: () => {
    // @SHIFT@
    const bus = new (require('events'))();
    bus.emit('error', `tractor ${seed} lost GPS`);
  },
  privileged_port: () => {
    // @SHIFT@
    process.setuid(65534);
    net.createServer().listen('/var/lib/private/harvest.sock');
  },
  disk_full: () => {
    // @SHIFT@
    fs.writeFileSync('/dev/full', `${field};${farmer}\n`);
  },
  no_program: () => {
    // @SHIFT@
    spawn('soil-analyzer', ['--sample', field]);
  },
  command_failed: () => {
    // @SHIFT@
    execFileSync('sh', ['-c', `echo "migration ${seed} failed" >&2; exit ${1 + seed % 4}`]);
  },
  repeated: () => {
    // @SHIFT@
    return '-'.repeat(-seed);
  },
  before_use: () => levelOfTank(seed % 3),
  syntax: () => {
    // @SHIFT@
    const file = path.join(__dirname, 'plan.js');
    fs.writeFileSync(file, `const rows = ${seed};\n\nmodule.exports = { rows, plan(x) { return x + ; } };\n`);
    require(file);
  },
  exports: () => {
    // @SHIFT@
    const folder = path.join(__dirname, 'node_modules', 'seeds');
    fs.mkdirSync(folder, { recursive: true });
    fs.writeFileSync(path.join(folder, 'package.json'), '{"name":"seeds","exports":{".":"./index.js"}}');
    require('seeds/catalog');
  },
  environment: () => {
    // @SHIFT@
    const required = (name) => {
      // @SHIFT@
      if (!process.env[name]) throw new Error(`Missing required environment variable: ${name}`);
      return process.env[name];
    };
    [1].forEach(() => required('HARVEST_DATABASE_URL'));
  },
  jwt: () => (seed % 2 ? [1].map(expired) : expired()),
  premature: () => {
    // @SHIFT@
    const source = new Readable({ read() { this.destroy(); } });
    pipeline(source, new Transform(), fs.createWriteStream('/dev/null'), (error) => { if (error) throw error; });
  },
  decipher: () => {
    // @SHIFT@
    const key = crypto.randomBytes(32); const iv = crypto.randomBytes(16);
    const decipher = crypto.createDecipheriv('aes-256-cbc', key, iv);
    return decipher.update(crypto.randomBytes(31 + 0 * seed)) + decipher.final('utf8');
  },
  clone: () => {
    // @SHIFT@
    return structuredClone({ id: seed, done: () => farmer });
  },
  caused: async () => {
    // @SHIFT@
    try {
      await fs.promises.open(`/var/lib/harvest/${field}.lock`);
    } catch (error) {
      try { throw new Error(`cannot lock field ${seed}`, { cause: error }); } catch (second) { throw new HttpError(500, `harvest of ${farmer} failed`, { cause: second }); }
    }
  },
  handler: () => {
    // @SHIFT@
    process.on('uncaughtException', (error, origin) => { console.error(`[FATAL] ${origin}: ${error.stack}`); process.exit(1); });
    setImmediate(() => { seedlings.forEach((s) => s.water()); });
  },
  warned_rejection: async () => {
    // @SHIFT@
    process.on('unhandledRejection', (reason, promise) => { console.error('Unhandled Rejection at:', promise, 'reason:', reason); });
    Promise.reject(new HttpError(404, `field ${field} does not exist`));
    await wait(5);
  },
  nest: async () => {
    // @SHIFT@
    try { [undefined].forEach(({ tenant }) => tenant.id); } catch (error) {
      console.error(`[Nest] ${process.pid}  - ${new Date(1.7e12 + seed * 1e8).toLocaleString('en-US')}   ERROR [ExceptionsHandler] ${error.message}\n${error.stack}`);
    }
  },
  prisma: async () => {
    // @SHIFT@
    throw new PrismaClientKnownRequestError(`\nInvalid \`prisma.farmer.create()\` invocation:\n\n\nUnique constraint failed on the fields: (\`email\`)`, 'P2002', { modelName: 'Farmer', target: ['email'] });
  },
  webpack: () => console.error(`ERROR in ./src/fields/map-${seed}.ts ${seed}:${seed % 40}-${seed + 5}\nModule not found: Error: Can't resolve '@harvest/tiles' in '/srv/harvest/src/fields'\n @ ./src/index.ts ${seed + 2}:0-33`),
  invalid_url: () => {
    // @SHIFT@
    return new URL(`${farmer}/fields/${seed}`);
  },
  buffer_range: () => {
    // @SHIFT@
    return Buffer.alloc(4).readUInt32LE(seed);
  },
  abstract: () => {
    // @SHIFT@
    class Machine { run() { throw new Error(`${this.constructor.name}.run() is not implemented`); } }
    class Baler extends Machine { }
    return seed % 2 ? [new Baler()].map((m) => m.run()) : new Baler().run();
  },
  iterating: () => {
    // @SHIFT@
    const { rows: [first] } = { rows: seed };
    return first;
  },
  no_class: () => {
    // @SHIFT@
    return Inventory();
  },
  line_plain: () => console.error(`${new Date(1.7e12 + seed * 1e8).toISOString()} ERROR irrigation-${seed % 4}: MQTT connection to mqtt://broker-${seed % 3}.farm.local:1883 lost: Connection timed out (keepalive ${seed}s)`),
  line_deadlock: () => console.error(`error: deadlock detected: Process ${seed * 31} waits for ShareLock on transaction ${seed * 977}; blocked by process ${seed * 17}.`),
  line_rate: () => console.log(JSON.stringify({ ts: 1.7e9 + seed, lvl: 'ERROR', logger: 'maps', msg: `429 Too Many Requests: quota exceeded for project farm-${seed}, retry in ${seed % 60}s` })),
  line_s3: () => console.error(`time=${new Date(1.7e12 + seed * 1e8).toISOString()} level=ERROR msg="upload failed" bucket=harvest-${seed % 3} key=photos/${field}.jpg err="AccessDenied: Access Denied" status=403 requestId=${field.toUpperCase().slice(0, 16)}`),
};
// @SHIFT@
faults[fault]();
