import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;

/** A list of checks that run in order and are counted. Names are new in each run. */
final class Checks {
    interface Check {
        void run() throws Exception;
    }

    private static final String RUN = UUID.randomUUID().toString().substring(0, 8);
    private static int names;
    private final Map<String, Check> all = new LinkedHashMap<>();

    static synchronized String fresh(String kind) {
        return kind + "-" + RUN + "-" + ++names;
    }

    static String fresh() {
        return fresh("t");
    }

    void add(String name, Check c) {
        all.put(name, c);
    }

    static void equal(Object want, Object got, String what) {
        if (!Objects.equals(want, got)) throw new AssertionError(what + ": got " + got + ", want " + want);
    }

    static void holds(boolean condition, String what) {
        if (!condition) throw new AssertionError(what);
    }

    /** Runs what must fail with an error of a type, or one that is caused by it. */
    static void fails(Class<? extends Throwable> type, Check c) {
        try {
            c.run();
        } catch (Throwable e) {
            for (Throwable t = e; t != null; t = t.getCause()) if (type.isInstance(t)) return;
            throw new AssertionError("want " + type.getSimpleName() + ", got " + e, e);
        }
        throw new AssertionError("want " + type.getSimpleName() + ", got no error");
    }

    static void until(String what, Duration limit, Callable<Boolean> f) throws Exception {
        long end = System.nanoTime() + limit.toNanos();
        while (!f.call()) {
            if (System.nanoTime() > end) throw new AssertionError("still not so after " + limit + ": " + what);
            Thread.sleep(50);
        }
    }

    /** Runs all and ends the process: with 0 if all have passed. */
    void run(String client, int limitSeconds) {
        String only = System.getenv("ONLY");
        int passed = 0, total = 0;
        ExecutorService threads = Executors.newCachedThreadPool(r -> {
            Thread t = new Thread(r);
            t.setDaemon(true);
            return t;
        });
        for (Map.Entry<String, Check> e : all.entrySet()) {
            if (only != null && !only.isEmpty() && !e.getKey().contains(only)) continue;
            total++;
            Future<?> f = threads.submit(() -> {
                e.getValue().run();
                return null;
            });
            try {
                f.get(limitSeconds, TimeUnit.SECONDS);
                passed++;
                System.out.println("ok    " + e.getKey());
            } catch (ExecutionException x) {
                System.out.println("FAIL  " + e.getKey() + ": " + x.getCause());
                if (System.getenv("TRACE") != null) x.printStackTrace(System.out);
            } catch (TimeoutException | InterruptedException x) {
                System.out.println("FAIL  " + e.getKey() + ": took more than " + limitSeconds + " s");
                f.cancel(true);
            }
        }
        System.out.println(client + ": " + passed + " of " + total + " checks passed");
        System.out.flush();
        Runtime.getRuntime().halt(passed == total && total > 0 ? 0 : 1);
    }
}
