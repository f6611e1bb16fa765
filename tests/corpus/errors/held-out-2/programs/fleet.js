// @SHIFT@
const http = require('http'); const util = require('util'); const vm = require('vm'); const zlib = require('zlib'); const dns = require('dns').promises;
const [, , fault, seedText] = process.argv; const seed = Number(seedText);
const driver = ['kim', 'lopez', 'novak', 'abebe', 'rossi'][seed % 5];
// @SHIFT@
class RouteError extends Error {
  // @SHIFT@
  constructor(message, options) { super(message, options); this.name = 'RouteError'; this.truck = seed; }
}
class NotFound extends Error {}
class Truck {
  constructor(load) { this.load = load; }
  get weight() {
    // @SHIFT@
    return this.load.reduce((sum, box) => sum + box.kg, 0);
  }
  set speed(value) {
    // @SHIFT@
    if (value > 120) throw new RangeError(`truck ${seed} cannot drive ${value} km/h`);
  }
  * stops() {
    // @SHIFT@
    yield* this.route.stops;
  }
}
async function plan(n) {
  // @SHIFT@
  await null;
  if (n > 0) return await plan(n - 1);
  throw new NotFound(`no road for ${driver} on day ${seed}`);
}
const faults = {
  weight: () => new Truck(undefined).weight,
  speed: () => { new Truck([]).speed = 121 + seed; },
  stops: () => [...new Truck([]).stops()],
  wrapped: () => {
    // @SHIFT@
    try { JSON.parse('{"a":' + seed); } catch (error) { throw new RouteError(`cannot plan route ${seed}`, { cause: error }); }
  },
  planned: () => plan(3 + seed % 3),
  logged_object: () => {
    // @SHIFT@
    try { new Truck(null).weight; } catch (error) { console.error('request %d of %s failed:', seed, driver, error); }
  },
  fs_promise: async () => {
    // @SHIFT@
    try { await require('fs').promises.readFile(`/srv/fleet/${seed}.geojson`); } catch (error) { console.error(error); }
  },
  frozen: () => { 'use strict'; Object.freeze([1]).push(seed); },
  symbol: () => `${Symbol(driver)}`,
  thrown_string: () => { throw `truck ${seed} is gone`; },
  gunzip: () => zlib.gunzipSync(Buffer.from('no gzip ' + seed)),
  lookup: () => dns.lookup(`fleet-${seed}.invalid`),
  server: () => {
    // @SHIFT@
    const one = http.createServer().listen(0, '127.0.0.1', () => http.createServer().listen(one.address().port, '127.0.0.1'));
  },
  headers: () => {
    // @SHIFT@
    const server = http.createServer((req, res) => { res.end('x'); res.setHeader('x-truck', String(seed)); });
    server.listen(0, '127.0.0.1', () => http.get({ port: server.address().port, host: '127.0.0.1' }));
  },
  destructured: () => {
    // @SHIFT@
    const place = ({ at: { lat } }) => lat; return [{ id: seed }].map(place);
  },
  circular: () => {
    // @SHIFT@
    const truck = { id: seed }; truck.trailer = { truck }; return JSON.stringify(truck);
  },
  dynamic: () => vm.runInThisContext(`(function tour() { return trucks${''}.length; })()`, { filename: 'tour.js' }),
  uri: () => decodeURIComponent('%E0%A4%A' + '%'),
  regexp: () => new RegExp('(' + driver),
  bracketed: () => console.error(`${new Date(seed * 1e9).toUTCString()} [worker ${seed}] error: could not dispatch order ORD-${seed}-${seed * 3} to driver ${driver}`),
  level_json: () => console.log(JSON.stringify({ level: 'error', timestamp: new Date(seed * 1e10).toISOString(), message: `disk quota exceeded while writing /var/lib/fleet/${seed}.db`, service: 'fleet' })),
};
// @SHIFT@
faults[fault]();
