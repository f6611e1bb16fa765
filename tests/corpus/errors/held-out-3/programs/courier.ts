// @SHIFT@
import { readFile } from 'node:fs/promises';
import { EventEmitter } from 'node:events';
import * as net from 'node:net';

const [, , fault, seedText] = process.argv;
const seed = Number(seedText);
const rider: string = ['ines', 'ole', 'pavel', 'quinn', 'r.sato', 'svea'][seed % 6]!;

// @SHIFT@
interface Parcel { id: number; to?: { street: string; zip?: string } }
type Tariff = Readonly<Record<string, number>>;

abstract class DomainError extends Error {
  abstract readonly code: string;
  // @SHIFT@
  protected constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}
class TariffMissing extends DomainError {
  readonly code = 'TARIFF_MISSING';
  constructor(zone: string) { super(`no tariff for zone ${zone}`); }
}
class DeliveryFailed extends DomainError {
  readonly code = 'DELIVERY_FAILED';
  constructor(parcel: Parcel, cause: unknown) { super(`parcel ${parcel.id} was not delivered by ${rider}`, { cause }); }
}

// @SHIFT@
class Depot<T extends Parcel> {
  private readonly shelves = new Map<number, T[]>();
  // @SHIFT@
  shelfOf(parcel: T): T[] {
    return this.shelves.get(parcel.id % 7)!;
  }
  // @SHIFT@
  put(parcel: T): void {
    this.shelfOf(parcel).push(parcel);
  }
  // @SHIFT@
  static label(this: void, parcel: Parcel): string {
    return parcel.to!.zip!.padStart(5, '0');
  }
}

namespace Pricing {
  const tariffs: Tariff = { a: 3, b: 5 };
  // @SHIFT@
  export function of(zone: string): number {
    const price = tariffs[zone];
    if (price === undefined) throw new TariffMissing(zone);
    return price;
  }
}

// @SHIFT@
async function manifest(path: string): Promise<Parcel[]> {
  const text = await readFile(path, 'utf8');
  return JSON.parse(text) as Parcel[];
}

function assertNever(value: never): never {
  // @SHIFT@
  throw new Error(`unexpected state: ${JSON.stringify(value)}`);
}

const through = <T,>(job: () => T): T => (seed % 2 ? [0].map(() => job())[0]! : job());

const faults: Record<string, () => unknown> = {
  shelf: () => through(() => new Depot().put({ id: seed })),
  labels: () => [{ id: seed, to: { street: rider } }].map(Depot.label),
  tariff: () => through(() => Pricing.of(`z${seed}`)),
  manifest: () => manifest(`/srv/courier/${rider}-${seed}.json`),
  delivered: async () => {
    // @SHIFT@
    try { await manifest(`/proc/self/status`); } catch (error) { throw new DeliveryFailed({ id: seed }, error); }
  },
  state: () => {
    // @SHIFT@
    const state = { kind: 'lost', id: seed } as unknown as never;
    return assertNever(state);
  },
  logged: () => {
    // @SHIFT@
    try { new Depot().shelfOf({ id: seed }).find(Boolean); } catch (error) { console.error(`${new Date(1.7e12 + seed * 1e8).toISOString()} [ERROR] [dispatcher] parcel ${seed} of ${rider}:`, (error as Error).stack); }
  },
  connected: () => {
    // @SHIFT@
    const socket = net.connect({ port: 1, host: '127.0.0.1' });
    socket.on('error', (error) => { throw new DeliveryFailed({ id: seed }, error); });
  },
  emitted: () => {
    // @SHIFT@
    const bus = new EventEmitter();
    bus.on('parcel', (parcel: Parcel) => { parcel.to!.street.toUpperCase(); });
    process.nextTick(() => bus.emit('parcel', { id: seed }));
  },
  settled: async () => {
    // @SHIFT@
    const results = await Promise.allSettled([Promise.resolve(1), Promise.reject(new TariffMissing(`q${seed}`))]);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  },
  frozen: () => {
    // @SHIFT@
    const tariff = Object.freeze({ a: 1 }) as { a: number };
    tariff.a = seed;
  },
  timed: async () => {
    // @SHIFT@
    await Promise.race([new Promise(() => {}), new Promise((_, reject) => setTimeout(() => reject(new Error(`Timeout of ${seed * 100}ms exceeded while waiting for rider ${rider}`)), 5))]);
  },
};
// @SHIFT@
faults[fault!]!();
