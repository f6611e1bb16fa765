// @SHIFT@
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Sockets;
using System.Threading;
using System.Threading.Tasks;

namespace Mining {
    // @SHIFT@
    class ShaftException : Exception {
        public ShaftException(string message, Exception inner = null) : base(message, inner) { }
    }
    interface ICart { int Load { get; } }
    class Cart : ICart {
        readonly int[] ores;
        // @SHIFT@
        public Cart(params int[] ores) { this.ores = ores; }
        // @SHIFT@
        public int Load { get { return checked(ores.Sum() * int.MaxValue); } }
        // @SHIFT@
        public int this[int at] { get { return ores[at]; } }
    }
    class Shaft<T> where T : class, ICart {
        readonly Dictionary<int, T> carts = new Dictionary<int, T>();
        readonly MemoryStream log = new MemoryStream();
        // @SHIFT@
        public T Find(int id) { T cart; carts.TryGetValue(id, out cart); return cart; }
        // @SHIFT@
        public int Lift(int id) { return Find(id).Load; }
        // @SHIFT@
        public async Task<int> LiftAsync(int id) {
            await Task.Delay(1);
            // @SHIFT@
            return Find(id).Load;
        }
        // @SHIFT@
        public IEnumerable<int> Plan(int depth) {
            for (var at = depth; ; at -= 10) {
                if (at < 0) throw new ArgumentOutOfRangeException("depth", at, "below the ground of the shaft");
                yield return at;
            }
        }
        // @SHIFT@
        public int Weigh(string name) { return name.Length; }
        public void Note(string text) { log.Dispose(); log.WriteByte((byte)text.Length); }
    }
    static class Program {
        static int seed;
        static string miner;
        static T Through<T>(Func<T> job) { return seed % 2 == 0 ? job() : Enumerable.Range(0, 1).Select(_ => job()).First(); }
        // @SHIFT@
        static void Main(string[] args) {
            seed = int.Parse(args[1]);
            miner = new[] { "arno", "britt", "ciaran", "d.kos", "ewa", "finn" }[seed % 6];
            var shaft = new Shaft<Cart>();
            switch (args[0]) {
                case "lift": Through(() => shaft.Lift(seed)); break;
                case "lift_async": shaft.LiftAsync(seed).GetAwaiter().GetResult(); break;
                case "overflow": Through(() => new Cart(2, 3 + seed).Load); break;
                case "indexer": Through(() => new Cart(1)[seed]); break;
                case "plan": Console.WriteLine(shaft.Plan(seed).Sum()); break;
                case "disposed": shaft.Note(miner); break;
                case "wrapped":
                    // @SHIFT@
                    try { File.ReadAllText("/srv/mine/" + miner + "/" + seed + ".map"); }
                    catch (Exception e) { throw new ShaftException("shaft " + seed + " cannot be opened", e); }
                    break;
                case "refused": new TcpClient().Connect("127.0.0.1", 1); break;
                case "cancelled": {
                    // @SHIFT@
                    var source = new CancellationTokenSource(5 + seed % 5);
                    Task.Delay(5000, source.Token).GetAwaiter().GetResult();
                    break;
                }
                case "enum": Enum.Parse(typeof(DayOfWeek), "Sun" + seed); break;
                case "not_implemented": Through<int>(() => { throw new NotImplementedException("blasting"); }); break;
                case "argument_null": Through(() => string.Join(",", (IEnumerable<string>)null)); break;
                case "duplicate": new Dictionary<string, int> { { "x", 1 } }.Add("x", seed); break;
                case "modified": { var ores = new List<int> { 1, 2 }; foreach (var ore in ores) ores.Add(seed); break; }
                case "uri": new Uri(miner + "/" + seed); break;
                case "base64": Convert.FromBase64String(miner + "!" + seed); break;
                case "parallel": Parallel.For(0, 1, n => { throw new ShaftException("cart " + seed + " derailed"); }); break;
                case "semaphore": new SemaphoreSlim(1, 1).Release(1 + seed % 3); break;
                case "denied":
                    // @SHIFT@
                    throw new UnauthorizedAccessException("Access to the path \"/var/lib/mine/" + miner + "-" + seed + ".key\" is denied.");
                case "aspnet":
                    // @SHIFT@
                    try { shaft.Weigh(null); } catch (Exception e) {
                        Console.WriteLine("fail: Microsoft.AspNetCore.Server.Kestrel[13]\n      Connection id \"0HN" + (seed * 99991).ToString("X8") + "\", Request id \"0HN" + (seed * 99991).ToString("X8") + ":0000000" + seed % 9 + "\": An unhandled exception was thrown by the application.\n" + string.Join("\n", e.ToString().Split('\n').Select(l => "      " + l)));
                    }
                    break;
                case "serilog":
                    // @SHIFT@
                    try { miner.Substring(seed + 20); } catch (Exception e) {
                        Console.WriteLine("[" + new DateTime(2026, 5, 1).AddSeconds(seed * 977).ToString("HH:mm:ss") + " ERR] Could not note the shift of " + miner + " in shaft " + seed + "\n" + e);
                    }
                    break;
                case "serilog_line": Console.WriteLine("2026-05-01 10:" + (seed % 60).ToString("00") + ":00.123 +00:00 [ERR] HTTP GET /shafts/" + seed + " responded 500 in " + seed * 1.7 + " ms"); break;
            }
        }
    }
}
