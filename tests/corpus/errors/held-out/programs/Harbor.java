// @SHIFT@
import java.io.*;
import java.net.*;
import java.nio.file.*;
import java.time.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.function.*;
import java.util.logging.*;
import java.util.stream.*;

public class Harbor {
    static int seed;
    // @SHIFT@
    static class DockException extends RuntimeException {
        DockException(String message, Throwable cause) { super(message, cause); }
    }

    // @SHIFT@
    record Ship(String name, Integer length, Map<String, String> papers) {
        String flag() {
            // @SHIFT@
            return papers.get("flag").toUpperCase();
        }
    }

    static class Rope implements AutoCloseable {
        // @SHIFT@
        public void close() {
            throw new IllegalStateException("rope " + seed + " is still under load");
        }
        void pull() {
            // @SHIFT@
            throw new IllegalArgumentException("cannot pull with " + -seed + " tons");
        }
    }

    static void moor() {
        // @SHIFT@
        try (Rope rope = new Rope()) {
            rope.pull();
        }
    }

    static void suppressed() { moor(); }

    static int shareOf(int berths) {
        // @SHIFT@
        return seed / berths;
    }

    static void future() throws Exception {
        // @SHIFT@
        CompletableFuture<Integer> future = CompletableFuture.supplyAsync(() -> shareOf(0));
        future.thenApply(n -> n + 1).get();
    }

    static List<Integer> lengths(List<Ship> ships) {
        // @SHIFT@
        Stream<Ship> stream = seed % 2 == 0 ? ships.stream() : ships.parallelStream().sequential().filter(s -> true);
        return stream.map(ship -> ship.length() + 1).collect(Collectors.toList());
    }

    static void stream() { lengths(List.of(new Ship("a" + seed, null, Map.of()))); }

    static void flag() { new Ship("b" + seed, 3, Map.of()).flag(); }

    static class Tariff {
        // @SHIFT@
        static final int PRICE = Integer.parseInt("EUR " + seed);
    }

    static void initializer() {
        // @SHIFT@
        System.out.println(Tariff.PRICE);
    }

    static void missingClass() throws Exception {
        // @SHIFT@
        Class.forName("com.example.harbor.Driver");
    }

    static void heap() {
        // @SHIFT@
        List<byte[]> all = new ArrayList<>();
        while (true) all.add(new byte[1_000_000 + seed]);
    }

    static void inPool() throws Exception {
        // @SHIFT@
        ExecutorService pool = Executors.newFixedThreadPool(3);
        for (int n = 0; n < seed % 3; n++) pool.submit(() -> 1).get();
        pool.execute(() -> berth(seed + 4));
        pool.shutdown();
    }

    static String berth(int n) {
        // @SHIFT@
        return new String[] {"a", "b"}[n];
    }

    static void call(int port) throws IOException {
        // @SHIFT@
        new Socket("127.0.0.1", port).close();
    }

    static void logged() {
        // @SHIFT@
        try {
            call(seed % 7 + 2);
        } catch (IOException e) {
            Logger.getLogger("harbor.radio").log(Level.SEVERE, "no radio contact with ship " + seed, e);
        }
    }

    static void save(String ship) throws java.sql.SQLException {
        // @SHIFT@
        throw new java.sql.SQLException("Duplicate entry '" + ship + "' for key 'ships.PRIMARY'", "23000", 1062);
    }

    static void spring() {
        // @SHIFT@
        try {
            try {
                save("imo" + seed * 7919);
            } catch (java.sql.SQLException e) {
                throw new DockException("could not execute statement", e);
            }
        } catch (DockException e) {
            System.out.println("2026-05-0" + (seed % 9 + 1) + "T10:11:12." + (100 + seed % 800) + "Z ERROR " + seed + " --- [nio-8080-exec-" + seed % 10
                + "] o.a.c.c.C.[.[.[/].[dispatcherServlet]    : Servlet.service() for servlet [dispatcherServlet] in context with path [] threw exception [Request processing failed: "
                + e + "] with root cause");
            System.out.println();
            e.printStackTrace(System.out);
        }
    }

    static void anonymous() {
        // @SHIFT@
        Comparator<Ship> byLength = new Comparator<>() {
            public int compare(Ship a, Ship b) {
                return a.length().compareTo(b.length());
            }
        };
        // @SHIFT@
        new TreeSet<>(byLength).addAll(List.of(new Ship("a", null, Map.of()), new Ship("b", seed, Map.of())));
    }

    public static String pilot() {
        // @SHIFT@
        return Optional.<String>empty().orElseThrow();
    }

    static void reflected() throws Exception {
        // @SHIFT@
        Harbor.class.getMethod("pilot").invoke(null);
    }

    static void arrival() {
        // @SHIFT@
        LocalDate.parse("2026-13-" + (10 + seed % 10));
    }

    static int tide(int hour) {
        // @SHIFT@
        return hour == -1 ? 0 : tide(hour + 1) + seed;
    }

    static void tides() { tide(1); }

    static void manifest() {
        // @SHIFT@
        try {
            Files.readAllLines(Path.of("/srv/manifests/" + seed + ".csv"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static void admit(int draft, int length) {
        // @SHIFT@
        if (draft > 10) throw new IllegalArgumentException("draft of " + draft + " m is more than the fairway has");
        // @SHIFT@
        if (length > 100) throw new IllegalArgumentException("ship " + seed + " needs a berth of " + length);
    }

    static void tooDeep() { admit(11 + seed, 1); }
    static void tooLong() { admit(1, 101 + seed); }

    static void unlock() {
        // @SHIFT@
        throw new IllegalStateException("the gate is not at the level");
    }

    static void lock() {
        // @SHIFT@
        throw new IllegalStateException("the gate is not at the level");
    }

    static void gate1() { lock(); }
    static void gate2() { unlock(); }

    static void timeout() throws Exception {
        // @SHIFT@
        new CompletableFuture<String>().get(1 + seed % 3, TimeUnit.MILLISECONDS);
    }

    static void removing() {
        // @SHIFT@
        Map<String, Integer> ships = new HashMap<>(Map.of("a", 1, "b", 2, "c", seed));
        for (String name : ships.keySet()) ships.remove(name);
    }

    static void unsupported() {
        // @SHIFT@
        List.of(1, seed).add(seed);
    }

    static void remote() throws Exception {
        // @SHIFT@
        throw new ExecutionException(new DockException("ship " + seed + " cannot dock", new UnknownHostException("pilot-" + seed + ".internal")));
    }

    public static void main(String[] args) throws Throwable {
        seed = Integer.parseInt(args[1]);
        // @SHIFT@
        Map<String, Callable<Void>> faults = new HashMap<>();
        faults.put("suppressed", () -> { suppressed(); return null; });
        faults.put("future", () -> { future(); return null; });
        faults.put("stream", () -> { stream(); return null; });
        faults.put("flag", () -> { flag(); return null; });
        faults.put("initializer", () -> { initializer(); return null; });
        faults.put("missing_class", () -> { missingClass(); return null; });
        faults.put("heap", () -> { heap(); return null; });
        faults.put("in_pool", () -> { inPool(); return null; });
        faults.put("logged", () -> { logged(); return null; });
        faults.put("spring", () -> { spring(); return null; });
        faults.put("anonymous", () -> { anonymous(); return null; });
        faults.put("reflected", () -> { reflected(); return null; });
        faults.put("arrival", () -> { arrival(); return null; });
        faults.put("tides", () -> { tides(); return null; });
        faults.put("manifest", () -> { manifest(); return null; });
        faults.put("too_deep", () -> { tooDeep(); return null; });
        faults.put("too_long", () -> { tooLong(); return null; });
        faults.put("gate1", () -> { gate1(); return null; });
        faults.put("gate2", () -> { gate2(); return null; });
        faults.put("timeout", () -> { timeout(); return null; });
        faults.put("removing", () -> { removing(); return null; });
        faults.put("unsupported", () -> { unsupported(); return null; });
        faults.put("remote", () -> { remote(); return null; });
        faults.get(args[0]).call();
    }
}
