// @SHIFT@
import java.util.*;
import java.util.concurrent.*;
import java.util.function.*;

interface Step<T> { T run() throws Exception; }

public class Depot {
    static int seed;
    enum State { IDLE, BUSY }
    sealed interface Order permits Depot.Big, Depot.Small {}
    record Big(int n) implements Order {}
    record Small(String s) implements Order {}

    static <T> T retry(int times, Step<T> step) throws Exception {
        // @SHIFT@
        try { return step.run(); } catch (Exception e) { if (times > 1) return retry(times - 1, step); throw e; }
    }
    static State state() {
        // @SHIFT@
        return State.valueOf("PAUSED" + seed);
    }
    static String sub(String s) {
        // @SHIFT@
        return s.substring(seed + 9);
    }
    static int unbox(Map<String, Integer> m) {
        // @SHIFT@
        int n = m.get("k" + seed);
        return n;
    }
    static String small(Order o) {
        // @SHIFT@
        return ((Small) o).s();
    }
    static void await() throws Exception {
        // @SHIFT@
        Thread t = Thread.currentThread();
        new Thread(() -> t.interrupt()).start();
        Thread.sleep(5000);
    }
    static void nested() {
        // @SHIFT@
        try { try { Objects.requireNonNull(null, "no invoice for order " + seed); }
            catch (NullPointerException e) { throw new IllegalStateException("order " + seed + " is half done", e); } }
        catch (IllegalStateException e) { throw new RuntimeException("batch " + seed * 7 + " failed", e); }
    }
    static void all() throws Exception {
        // @SHIFT@
        ExecutorService pool = Executors.newFixedThreadPool(2);
        try {
            Future<Integer> f = pool.submit(() -> retry(1 + seed % 3, () -> Integer.valueOf("x" + seed)));
            f.get();
        } finally { pool.shutdownNow(); }
    }
    static void uncaught() {
        // @SHIFT@
        new Thread(() -> { sub("abc"); }, "picker-" + seed).start();
    }
    static void negative() {
        // @SHIFT@
        long[] a = new long[-1 - seed];
    }
    static void iterate() {
        // @SHIFT@
        List<Integer> l = new ArrayList<>(List.of(1, 2, 3));
        l.iterator().forEachRemaining(n -> { if (n == 2) new ArrayList<Integer>().iterator().next(); });
    }
    static class Cache { static Map<String, String> m = load(); static Map<String, String> load() { throw new UnsupportedOperationException("cache " + seed); } }
    static void cache() {
        // @SHIFT@
        Cache.m.size();
    }
    static void format() {
        // @SHIFT@
        String.format("%d boxes", "many " + seed);
    }
    static void logback() {
        // @SHIFT@
        try { unbox(new HashMap<>()); } catch (NullPointerException e) {
            System.out.println("10:11:1" + seed % 10 + "." + (100 + seed) + " [http-nio-8080-exec-" + seed % 9 + "] ERROR c.e.depot.OrderController -- Could not load order " + seed);
            e.printStackTrace(System.out);
        }
    }
    static void kafka() {
        System.out.println("[2026-05-01 10:11:1" + seed % 10 + ",123] ERROR [Consumer clientId=consumer-depot-" + seed + ", groupId=depot] Offset commit failed on partition orders-" + seed % 12 + " at offset " + seed * 1001 + ": The coordinator is not aware of this member. (org.apache.kafka.clients.consumer.internals.ConsumerCoordinator)");
    }
    public static void main(String[] args) throws Exception {
        seed = Integer.parseInt(args[1]);
        // @SHIFT@
        switch (args[0]) {
            case "state" -> state();
            case "sub" -> sub("abc");
            case "unbox" -> unbox(new TreeMap<>());
            case "small" -> small(new Big(seed));
            case "await" -> await();
            case "nested" -> nested();
            case "all" -> all();
            case "uncaught" -> uncaught();
            case "negative" -> negative();
            case "iterate" -> iterate();
            case "cache" -> cache();
            case "format" -> format();
            case "logback" -> logback();
            case "kafka" -> kafka();
        }
    }
}
