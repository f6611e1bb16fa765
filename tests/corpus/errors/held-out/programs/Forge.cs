// @SHIFT@
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading.Tasks;

namespace Forge
{
    // @SHIFT@
    public class ForgeException : Exception
    {
        public ForgeException(string message, Exception inner) : base(message, inner) { }
    }

    public class Anvil
    {
        public string Owner;

        public int Weight()
        {
            // @SHIFT@
            return Owner.Length;
        }

        public int Share(int smiths)
        {
            // @SHIFT@
            return Program.Seed / smiths;
        }

        public void Strike(int force)
        {
            // @SHIFT@
            if (force < 0) throw new ArgumentException("force " + force + " would lift the hammer");
            // @SHIFT@
            if (force > 9) throw new ArgumentException("anvil " + Program.Seed + " cracks under so much");
        }
    }

    public static class Program
    {
        public static int Seed;

        static int First(IEnumerable<int> items)
        {
            // @SHIFT@
            return items.Where(n => n > 100000).First();
        }

        static int Price(Dictionary<string, int> prices)
        {
            // @SHIFT@
            return prices["nail" + Seed];
        }

        static void Wrapped()
        {
            // @SHIFT@
            try { new Anvil().Share(0); }
            catch (DivideByZeroException e) { throw new ForgeException("order " + Seed + " cannot be split", e); }
        }

        static async Task<int> Heat()
        {
            // @SHIFT@
            await Task.Delay(1);
            return new Anvil().Weight();
        }

        public static void Main(string[] args)
        {
            Seed = int.Parse(args[1]);
            // @SHIFT@
            switch (args[0])
            {
                case "no_owner": new Anvil().Weight(); break;
                case "wrapped": Wrapped(); break;
                case "first": First(Enumerable.Range(0, Seed)); break;
                case "price": Price(new Dictionary<string, int>()); break;
                case "format": int.Parse("EUR " + Seed); break;
                case "awaited": Heat().Wait(); break;
                case "weak": new Anvil().Strike(-Seed); break;
                case "strong": new Anvil().Strike(10 + Seed); break;
                case "missing_file": File.ReadAllText("/srv/forge/" + Seed + ".txt"); break;
                case "cast": object o = Seed; Console.WriteLine((string)o); break;
                case "bounds": Console.WriteLine((new int[Seed % 3])[3 + Seed]); break;
            }
        }
    }
}
