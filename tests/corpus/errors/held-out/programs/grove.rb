# @SHIFT@
require 'json'
require 'logger'
require 'net/http'
require 'timeout'
FAULT, SEED = ARGV[0], ARGV[1].to_i
NAME = %w[ann bob carla dora eve][SEED % 5]

# @SHIFT@
module Grove
  class PlantError < StandardError; end

  class Tree
    attr_reader :rings
    # @SHIFT@
    def initialize(rings = nil)
      @rings = rings
    end

    def age
      # @SHIFT@
      rings.length + 1
    end
  end

  class Nursery
    # @SHIFT@
    def seedling(beds, name)
      beds.fetch(name)
    end

    def plant(name)
      # @SHIFT@
      seedling({ 'oak' => 1 }, name)
    rescue KeyError
      raise PlantError, "cannot plant #{name} in bed #{SEED}"
    end

    def per_bed(seeds, beds)
      # @SHIFT@
      seeds / beds
    end

    def water(amount)
      # @SHIFT@
      raise ArgumentError, "#{amount} litres are too much for bed #{SEED}" if amount > 10
      # @SHIFT@
      raise ArgumentError, "the can of #{NAME} is empty" if amount.zero?
    end
  end
end

# @SHIFT@
def walk(node)
  walk([node])
end

FAULTS = {
  'nil_rings' => -> { Grove::Tree.new.age },
  'planted' => -> { Grove::Nursery.new.plant("elm#{SEED}") },
  'no_bed' => -> { Grove::Nursery.new.seedling({}, "bed-#{SEED}") },
  'no_beds' => -> { Grove::Nursery.new.per_bed(SEED, 0) },
  'arguments' => -> { Grove::Nursery.new.plant },
  'flood' => -> { Grove::Nursery.new.water(11 + SEED) },
  'dry' => -> { Grove::Nursery.new.water(0) },
  'market' => -> { Net::HTTP.get(URI("http://127.0.0.1:#{SEED % 5 + 2}/prices/#{SEED}")) },
  'gem' => -> { require 'grove_irrigation' },
  'deep' => -> { walk(SEED) },
  'slow' => -> { Timeout.timeout(0.01) { sleep 1 } },
  'frozen' => -> { %w[a b].freeze << NAME },
  'threaded' => lambda {
    # @SHIFT@
    worker = Thread.new { [1, 2].each { |n| Integer("#{NAME} #{n}") } }
    worker.join
  },
  'logged' => lambda {
    # @SHIFT@
    begin
      Grove::Tree.new.age
    rescue NoMethodError => e
      Logger.new($stderr).error(e)
    end
  },
  'log_line' => -> { Logger.new($stderr).error("bed #{SEED}: pump pump-#{SEED}.internal:#{SEED} timed out after #{SEED / 3.0}s") },
  'bad_json' => -> { JSON.parse("{\"trees\": #{NAME}") },
  'missing_file' => -> { File.readlines("/srv/grove/#{SEED}.csv") },
}

# @SHIFT@
FAULTS.fetch(FAULT).call
