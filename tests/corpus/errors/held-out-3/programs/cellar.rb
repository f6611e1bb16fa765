# @SHIFT@
require 'json'; require 'logger'; require 'net/http'; require 'socket'; require 'timeout'; require 'openssl'; require 'set'; require 'bigdecimal'; require 'tempfile'; require 'erb'; require 'ostruct'
FAULT, SEED = ARGV[0], ARGV[1].to_i
VINTNER = %w[aurele bianca cosimo d.weiss elena ferran][SEED % 6]
# @SHIFT@
module Cellar
  class Error < StandardError; end
  class Spoiled < Error
    def initialize(barrel) = super("barrel #{barrel} is spoiled")
  end
  # @SHIFT@
  class Barrel
    attr_reader :wine
    # @SHIFT@
    def age = Time.now.year - wine.year
    # @SHIFT@
    def taste
      yield self
    end
    def method_missing(name, *args)
      # @SHIFT@
      name.end_with?('?') ? false : super
    end
    def respond_to_missing?(name, all = false) = name.end_with?('?')
  end
  # @SHIFT@
  class Press
    # @SHIFT@
    def run(grapes:, bar: 3) = grapes.each_slice(2).map { |pair| pair.sum / bar }
    # @SHIFT@
    def squeeze(kilos)
      kilos.fetch(:merlot)
    end
  end
  # @SHIFT@
  def self.bottle(barrel)
    barrel.age
  rescue NoMethodError
    # @SHIFT@
    raise Error, "bottling of #{VINTNER} stopped"
  end
end
def through(&job) = SEED.odd? ? [1].each { |_| job.call } : job.call
def answering(status, delay = 0)
  server = TCPServer.new('127.0.0.1', 0)
  Thread.new { loop { c = server.accept; sleep delay; c.write "HTTP/1.1 #{status} X\r\nContent-Length: 0\r\n\r\n"; c.close } }
  server.addr[1]
end
# @SHIFT@
FAULTS = {
  age: -> { through { Cellar::Barrel.new.age } },
  unknown: -> { Cellar::Barrel.new.decant(SEED) },
  keyword: -> { Cellar::Press.new.run(bar: SEED) },
  fetch: -> { through { Cellar::Press.new.squeeze({ syrah: SEED }) } },
  cause: -> { through { Cellar.bottle(Cellar::Barrel.new) } },
  spoiled: -> { Cellar::Barrel.new.taste { |b| raise Cellar::Spoiled, SEED } },
  coerce: -> { [1, 2, nil, SEED].sum },
  concat: -> { "cellar " + SEED },
  float: -> { Float("#{VINTNER}") },
  read_timeout: -> {
    # @SHIFT@
    Net::HTTP.start('127.0.0.1', answering(200, 5), read_timeout: 0.05) { |http| http.max_retries = 0; http.get("/barrels/#{SEED}") }
  },
  not_ok: -> {
    # @SHIFT@
    Net::HTTP.get_response('127.0.0.1', "/barrels/#{SEED}", answering(503)).value
  },
  bind: -> {
    # @SHIFT@
    one = TCPServer.new('127.0.0.1', 0)
    TCPServer.new('127.0.0.1', one.addr[1])
  },
  resolve: -> { TCPSocket.new("cellar-#{SEED}.invalid", 80) },
  full: -> { File.write('/dev/full', "#{VINTNER};#{SEED}\n") },
  pem: -> { OpenSSL::PKey::RSA.new("-----BEGIN #{VINTNER}-----") },
  deadlock: -> { Thread.new { Thread.stop }.join },
  abstract: -> { raise NotImplementedError, "#{self.class}#ferment must be implemented" },
  stop: -> { e = [SEED].each; e.next; e.next },
  fiber: -> { f = Fiber.new { SEED }; f.resume; f.resume },
  convert: -> { "ros\u00e9 #{SEED}".encode('US-ASCII') },
  regexp: -> { Regexp.new("#{VINTNER}(") },
  nan: -> { (0.0 / 0).to_i + SEED },
  throwing: -> { throw :done, SEED },
  env: -> { ENV.fetch('CELLAR_SECRET_KEY_BASE') },
  erb: -> {
    # @SHIFT@
    ERB.new("Dear <%= name %>,\nbottle <%= wine.label.upcase %>").result_with_hash(name: VINTNER, wine: OpenStruct.new)
  },
  domain: -> { Math.sqrt(-SEED) },
  const: -> { Object.const_get("Vintage#{''}2020x") },
  argument: -> { Integer("#{SEED}l", 10) },
  rails: -> {
    log = Logger.new($stdout)
    # @SHIFT@
    begin
      Cellar::Press.new.run(grapes: nil)
    rescue NoMethodError => e
      log.fatal("[#{format('%032x', SEED * 99991)}] \n#{e.class} (#{e.message}):\n  \n#{e.backtrace.map { |l| "#{l}" }.join("\n")}")
    end
  },
  logger: -> {
    log = Logger.new($stderr, progname: 'cellar')
    begin
      [SEED, nil].max
    rescue => e
      log.error(e)
    end
  },
  sidekiq: -> { puts "#{Time.at(1_700_000_000 + SEED).utc.iso8601(3) rescue Time.at(1_700_000_000 + SEED).utc.strftime('%FT%T.000Z')} pid=#{SEED * 31} tid=#{(SEED * 977).to_s(36)} class=LabelJob jid=#{format('%024x', SEED * 7919)} elapsed=#{SEED / 100.0} ERROR: job failed: PG::ConnectionBad: could not connect to server: Connection refused" },
  puma: -> { warn "#{Time.at(1_700_000_000 + SEED).utc} Puma caught this error: Connection reset by peer (Errno::ECONNRESET)" },
}
# @SHIFT@
FAULTS[FAULT.to_sym].call
