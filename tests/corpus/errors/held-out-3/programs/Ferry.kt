// @SHIFT@
package io.ferry

import java.io.File
import java.util.concurrent.CompletableFuture
import java.util.concurrent.Executors
import java.util.concurrent.TimeUnit
import java.util.concurrent.TimeoutException
import java.util.logging.Level
import java.util.logging.Logger

var seed = 0
val captain get() = listOf("ana", "bruno", "celine", "d.ito", "emre", "fatou")[seed % 6]

// @SHIFT@
data class Berth(val id: Int, val length: Double)
data class Vessel(val name: String, val berth: Berth?)
enum class Tide { LOW, HIGH }
sealed class Booking {
    data class Paid(val amount: Long) : Booking()
    object Open : Booking()
}
// @SHIFT@
class BoardingException(message: String, cause: Throwable? = null) : RuntimeException(message, cause)

class Harbour {
    lateinit var pilot: String
    private val berths = mutableMapOf<Int, Berth>()
    // @SHIFT@
    val depth: Int by lazy { captain.toInt() }
    // @SHIFT@
    fun moor(vessel: Vessel) = berths.getValue(vessel.berth!!.id)
    // @SHIFT@
    fun guide() = "$pilot guides vessel $seed"

    companion object {
        // @SHIFT@
        @JvmStatic fun toll(vessel: Vessel): Double = vessel.berth!!.length * 2
    }
}

// @SHIFT@
fun Vessel.board(passengers: List<String>) {
    passengers.forEachIndexed { index, name ->
        check(index < 2) { "vessel ${this.name} is full, $name stays" }
    }
}
inline fun <T> measured(block: () -> T): T {
    val begin = System.nanoTime()
    // @SHIFT@
    return block().also { System.nanoTime() - begin }
}
fun <T> through(block: () -> T): T = if (seed % 2 == 0) block() else listOf(1).map { block() }.first()

fun main(args: Array<String>) {
    seed = args[1].toInt()
    val vessel = Vessel("MS $captain", Berth(seed, 20.0))
    when (args[0]) {
        "no_berth" -> through { Harbour.toll(Vessel("x$seed", null)) }
        "missing_berth" -> through { Harbour().moor(vessel) }
        "lateinit" -> through { Harbour().guide() }
        "full" -> vessel.board(List(3 + seed % 4) { "guest $it" })
        "lazy" -> through { Harbour().depth }
        "tide" -> measured { Tide.valueOf("SPRING_$seed") }
        "cast" -> {
            // @SHIFT@
            val booking: Booking = Booking.Open
            println((booking as Booking.Paid).amount)
        }
        "require" -> listOf(seed).forEach { require(it > 1000) { "need more than $it passengers" } }
        "wrapped" -> try {
            // @SHIFT@
            File("/srv/ferry/$captain/$seed.csv").readLines()
        } catch (e: java.io.IOException) {
            throw BoardingException("cannot read the list of $captain", e)
        }
        "first" -> sequenceOf(1, 2, seed).filter { it < 0 }.first()
        "single" -> listOf(seed, seed + 1).single()
        "todo" -> TODO("refunds of booking $seed")
        "thread" -> {
            // @SHIFT@
            val pool = Executors.newFixedThreadPool(1 + seed % 3)
            pool.execute { measured { arrayOf(1, 2)[seed] } }
            pool.shutdown()
        }
        "timeout" -> {
            // @SHIFT@
            CompletableFuture<Int>().get(10L + seed, TimeUnit.MILLISECONDS)
        }
        "use" -> File.createTempFile("ferry", ".csv").bufferedReader().use { reader ->
            // @SHIFT@
            reader.readLine()!!.length
        }
        "logged" -> try {
            listOf(vessel).filter { it.name == "" }.first()
        } catch (e: Exception) {
            println("${java.time.Instant.ofEpochSecond(1_700_000_000L + seed)} [pool-${seed % 4}-thread-1] ERROR io.ferry.Toll - toll of ${vessel.name} unknown")
            e.printStackTrace(System.out)
        }
        "jul" -> try {
            // @SHIFT@
            throw TimeoutException("no answer of berth $seed in ${seed * 10} ms")
        } catch (e: Exception) {
            Logger.getLogger("io.ferry.Berths").log(Level.SEVERE, "berth $seed unreachable", e)
        }
    }
}
