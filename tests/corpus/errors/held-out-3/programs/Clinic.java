// @SHIFT@
import java.io.*;
import java.net.*;
import java.net.http.*;
import java.nio.ByteBuffer;
import java.nio.channels.*;
import java.nio.charset.*;
import java.nio.file.*;
import java.sql.*;
import java.time.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.concurrent.locks.*;
import java.util.function.*;
import java.util.stream.*;

public class Clinic {
    static int seed;
    static String doctor;
    // @SHIFT@
    static class VisitException extends Exception {
        VisitException(String message, Throwable cause) { super(message, cause); }
    }
    static class StoreException extends RuntimeException {
        StoreException(String message, Throwable cause) { super(message, cause); }
    }
    record Visit(int id, String patient, Duration length) {
        // @SHIFT@
        Visit {
            if (length.isNegative()) throw new IllegalArgumentException("visit " + id + " of " + patient + " has the length " + length);
        }
    }
    enum Ward { A, B }
    sealed interface Bill permits Cash, Card {}
    record Cash(long cents) implements Bill {}
    record Card(String number) implements Bill {}

    static class Journal implements AutoCloseable {
        // @SHIFT@
        void write(String line) throws IOException {
            throw new IOException("journal of " + doctor + " is read-only");
        }
        // @SHIFT@
        @Override public void close() {
            throw new IllegalStateException("journal " + seed + " was not flushed");
        }
    }
    // @SHIFT@
    static void save(Visit visit) throws VisitException {
        try {
            store(visit);
        } catch (StoreException e) {
            throw new VisitException("visit " + visit.id() + " was not saved", e);
        }
    }
    static void store(Visit visit) {
        // @SHIFT@
        try {
            DriverManager.getConnection("jdbc:postgresql://db-" + seed % 3 + "/clinic", doctor, "x");
        } catch (SQLException e) {
            throw new StoreException("no connection for " + visit.patient(), e);
        }
    }
    // @SHIFT@
    static <T> T through(Callable<T> job) throws Exception {
        return seed % 2 == 0 ? job.call() : Stream.of(job).map(each -> { try { return each.call(); } catch (RuntimeException e) { throw e; } catch (Exception e) { throw new CompletionException(e); } }).findFirst().get();
    }
    static Backend server(int status, int delay) throws IOException {
        return new Backend(status, delay);
    }
    static class Backend {
        final ServerSocket socket = new ServerSocket(0);
        Backend(int status, int delay) throws IOException {
            Thread thread = new Thread(() -> {
                while (true) try {
                    Socket one = socket.accept();
                    Thread.sleep(delay);
                    one.getOutputStream().write(("HTTP/1.1 " + status + " X\r\nContent-Length: 0\r\n\r\n").getBytes());
                } catch (Exception e) { return; }
            });
            thread.setDaemon(true);
            thread.start();
        }
        URI at() { return URI.create("http://127.0.0.1:" + socket.getLocalPort() + "/visits/" + seed); }
    }

    public static void main(String[] args) throws Throwable {
        seed = Integer.parseInt(args[1]);
        doctor = List.of("ahmed", "brandt", "castillo", "duarte", "eriksen", "f.novak").get(seed % 6);
        switch (args[0]) {
            case "resources" -> {
                // @SHIFT@
                try (Journal journal = new Journal()) {
                    journal.write("visit " + seed);
                }
            }
            case "nested" -> save(new Visit(seed, doctor, Duration.ofMinutes(seed)));
            case "record" -> through(() -> new Visit(seed, doctor, Duration.ofMinutes(-seed)));
            case "optional" -> through(() -> Stream.of(1, 2).filter(n -> n > seed).findAny().orElseThrow());
            case "ward" -> through(() -> Ward.valueOf("C" + seed));
            case "http_timeout" -> {
                // @SHIFT@
                HttpClient.newHttpClient().send(HttpRequest.newBuilder(server(200, 5000).at()).timeout(Duration.ofMillis(900 + seed)).build(), HttpResponse.BodyHandlers.ofString());
            }
            case "http_status" -> {
                // @SHIFT@
                try (InputStream in = server(503, 0).at().toURL().openStream()) { in.read(); }
            }
            case "bind" -> {
                // @SHIFT@
                new ServerSocket(new ServerSocket(0).getLocalPort());
            }
            case "unknown_host" -> {
                // @SHIFT@
                new Socket("lab-" + seed + ".clinic.invalid", 443);
            }
            case "denied" -> {
                // @SHIFT@
                throw new AccessDeniedException("/var/lib/clinic/" + doctor + "/" + seed + ".dcm");
            }
            case "full" -> {
                // @SHIFT@
                try (FileOutputStream out = new FileOutputStream("/dev/full")) { out.write(seed); }
            }
            case "monitor" -> {
                // @SHIFT@
                new ReentrantLock().unlock();
            }
            case "waiting" -> {
                // @SHIFT@
                Object lock = new Object();
                lock.notifyAll();
            }
            case "bundle" -> ResourceBundle.getBundle("messages_" + "clinic", Locale.GERMANY);
            case "scanner" -> new Scanner(doctor + " " + seed).nextInt();
            case "charset" -> {
                // @SHIFT@
                StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(new byte[] { (byte) 0xC3, 0x28, (byte) seed }));
            }
            case "buffer" -> {
                // @SHIFT@
                ByteBuffer.allocate(4).putLong(seed);
            }
            case "immutable" -> through(() -> List.of(1, 2).add(seed));
            case "duplicates" -> Stream.of(doctor, doctor).collect(Collectors.toMap(d -> d, d -> seed));
            case "array_store" -> {
                // @SHIFT@
                Object[] visits = new String[1];
                visits[0] = seed;
            }
            case "assertion" -> {
                // @SHIFT@
                throw new AssertionError("dose of " + seed + " mg");
            }
            case "crash" -> {
                // @SHIFT@
                var field = Class.forName("sun.misc.Unsafe").getDeclaredField("theUnsafe");
                field.setAccessible(true);
                ((sun.misc.Unsafe) field.get(null)).putAddress(seed % 2, 0);
            }
            case "scheduled" -> {
                // @SHIFT@
                ScheduledExecutorService timer = Executors.newScheduledThreadPool(1);
                try {
                    timer.schedule(() -> Objects.requireNonNull(System.getenv("CLINIC_" + "LAB_URL"), "CLINIC_LAB_URL is not set"), 1, TimeUnit.MILLISECONDS).get();
                } finally { timer.shutdown(); }
            }
            case "deep_cause" -> {
                // @SHIFT@
                try { try { through(() -> 100 / (seed - seed)); } catch (ArithmeticException e) { throw new StoreException("dose of " + doctor, e); } }
                catch (StoreException e) { RuntimeException top = new RuntimeException(e); top.addSuppressed(new IOException("report " + seed + " not sent")); throw top; }
            }
            case "interrupted" -> {
                // @SHIFT@
                Thread.currentThread().interrupt();
                Thread.sleep(seed);
            }
            case "factory" -> Class.forName("org.clinic.Lab" + "Driver").getDeclaredConstructor().newInstance();
            case "spring_boot" -> System.out.println(LocalDateTime.ofEpochSecond(1_700_000_000L + seed * 999, seed * 1_000_000, ZoneOffset.UTC) + "Z ERROR " + seed * 31 + " --- [           main] o.s.b.d.LoggingFailureAnalysisReporter   : \n\n***************************\nAPPLICATION FAILED TO START\n***************************\n\nDescription:\n\nWeb server failed to start. Port " + (8000 + seed) + " was already in use.\n\nAction:\n\nIdentify and stop the process that's listening on port " + (8000 + seed) + " or configure this application to listen on another port.\n");
            case "spring_bean" -> System.out.println(LocalDateTime.ofEpochSecond(1_700_000_000L + seed * 999, seed * 1_000_000, ZoneOffset.UTC) + "Z ERROR " + seed * 31 + " --- [           main] o.s.b.d.LoggingFailureAnalysisReporter   : \n\n***************************\nAPPLICATION FAILED TO START\n***************************\n\nDescription:\n\nParameter 0 of constructor in org.clinic.visits.VisitService required a bean of type 'org.clinic.visits.VisitRepository' that could not be found.\n\n\nAction:\n\nConsider defining a bean of type 'org.clinic.visits.VisitRepository' in your configuration.\n");
            case "hikari" -> {
                // @SHIFT@
                try { throw new SQLTransientConnectionException("HikariPool-" + (1 + seed % 3) + " - Connection is not available, request timed out after " + (30000 + seed) + "ms."); }
                catch (SQLException e) { System.out.println(LocalTime.ofSecondOfDay(seed * 60) + "." + (100 + seed) + " [http-nio-8080-exec-" + seed % 10 + "] ERROR o.c.visits.VisitController - GET /visits/" + seed + " failed"); e.printStackTrace(System.out); }
            }
            case "gc_line" -> System.out.println(seed * 7 + "." + seed + ": [pool-" + seed % 5 + "-thread-" + seed % 9 + "] FATAL org.clinic.Batch - java.lang.OutOfMemoryError: GC overhead limit exceeded while importing file-" + seed + ".csv");
        }
    }
}
