// @SHIFT@
import java.util.*;
import java.util.function.*;

public class Shop {
    static int seed;
    static boolean other;

    static <T> T through(Supplier<T> supplier) {
        // @SHIFT@
        return other ? Optional.of(1).map(one -> supplier.get()).get() : supplier.get();
    }

    static int nameLength(Map<String, String> user) {
        // @SHIFT@
        return user.get("name").length();
    }

    static int pick(int[] items, int at) {
        // @SHIFT@
        return items[at];
    }

    static Integer cast(Object value) {
        // @SHIFT@
        return (Integer) value;
    }

    static int quantity(String text) {
        // @SHIFT@
        return Integer.parseInt(text);
    }

    static int share(int total, int parts) {
        // @SHIFT@
        return total / parts;
    }

    static void removeEmpty(List<String> names) {
        // @SHIFT@
        for (String name : names) names.remove(name);
    }

    static int even(int n) {
        return odd(n + 1) + 1;
    }

    static int odd(int n) {
        // @SHIFT@
        return even(n + 1) + 1;
    }

    static void connect(int port) {
        // @SHIFT@
        try {
            new java.net.Socket("127.0.0.1", port).close();
        } catch (java.io.IOException e) {
            throw new IllegalStateException("stock service on port " + port + " is down", e);
        }
    }

    static String read(String file) throws java.io.IOException {
        // @SHIFT@
        return new String(java.nio.file.Files.readAllBytes(java.nio.file.Path.of(file)));
    }

    static class OrderException extends RuntimeException {
        OrderException(String message) {
            super(message);
        }
    }

    static void place(int order) {
        // @SHIFT@
        throw new OrderException("order " + order + " was rejected");
    }

    static void run(String fault) throws Exception {
        switch (fault) {
            case "null_pointer" -> through(() -> nameLength(Map.of("id", "" + seed)));
            case "bounds" -> pick(new int[seed % 3], seed + 10);
            case "cast" -> through(() -> cast("order " + seed));
            case "number" -> quantity(seed + "kg");
            case "division" -> share(seed, 0);
            case "modification" -> removeEmpty(new ArrayList<>(List.of("a" + seed, "b", "c")));
            case "overflow" -> even(seed);
            case "refused" -> connect(1 + seed % 7);
            case "missing_file" -> read("/nonexistent/" + seed + ".json");
            case "custom" -> {
                try {
                    place(seed);
                } catch (OrderException e) {
                    System.err.println(java.time.Instant.now() + " ERROR [worker-" + seed % 9 + "] shop.Orders - cannot place");
                    e.printStackTrace();
                }
            }
            default -> throw new IllegalArgumentException(fault);
        }
    }

    public static void main(String[] args) throws Exception {
        seed = Integer.parseInt(args[1]);
        other = seed % 2 == 1;
        run(args[0]);
    }
}
