# @SHIFT@
require 'date'; require 'socket'; require 'set'; require 'yaml'
SEED = ARGV[1].to_i; NAME = %w[ipa stout porter pils weizen][SEED % 5]
# @SHIFT@
Tank = Struct.new(:litres) do
  # @SHIFT@
  def drain(n) = litres > n ? n : raise(IndexError, "tank #{SEED} has no #{n} litres")
end
class Brewery
  # @SHIFT@
  def method_missing(name, *) = name == :hops ? raise(NoMatchingPatternError, "no hops #{SEED}") : super
  def respond_to_missing?(*) = true
  def ferment
    # @SHIFT@
    yield
  ensure
    @done = true
  end
  def parse(text)
    # @SHIFT@
    Date.parse(text)
  end
  def mash = ferment { Float("#{NAME} degrees") }
end
F = {
  'drained' => -> { Tank.new(1).drain(5 + SEED) },
  'unknown' => -> { Brewery.new.bottle(SEED) },
  'mash' => -> { Brewery.new.mash },
  'date' => -> { Brewery.new.parse("never " + NAME) },
  'connect' => -> { TCPSocket.new('127.0.0.1', SEED % 7 + 2) },
  'yaml' => -> { YAML.load("a: [#{SEED}\nb: }") },
  'compare' => -> { [1, nil, SEED].sort },
  'uninit' => -> { Brewery::Keg.new },
  'private' => -> { Brewery.new.send(:initialize, 1, 2) },
  'write' => -> { File.write("/proc/version", NAME) },
  'exit_error' => -> { abort "FATAL: brewery #{SEED} has no licence" },
}
# @SHIFT@
F.fetch(ARGV[0]).call
