// @SHIFT@
#include <any>
#include <bitset>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <regex>
#include <stdexcept>
#include <string>
#include <thread>
#include <variant>
#include <vector>

static int seed;
static std::string pilot;
// @SHIFT@
namespace kite {
struct Wind { virtual ~Wind() = default; virtual int force() const { return 3; } };
struct Storm : Wind { int force() const override { return 11; } };
struct TooStrong : std::runtime_error { using std::runtime_error::runtime_error; };
// @SHIFT@
template <typename T> class Line {
    std::vector<T> knots_;
public:
    explicit Line(size_t n) : knots_(n) {}
    // @SHIFT@
    T &knot(size_t at) { return knots_[at]; }
    T sum() { T total{}; for (size_t i = 0; i <= knots_.size(); i++) total += knot(i); return total; }
};
// @SHIFT@
void fly(const Wind &wind) { if (wind.force() > 8) throw TooStrong("wind of force " + std::to_string(wind.force() + seed)); }
int load(const std::map<std::string, int> &kites) { return kites.at(pilot); }
// @SHIFT@
std::string_view dangling() { return std::string(40, 'k') + pilot; }
}
// @SHIFT@
template <typename Job> auto through(Job job) { if (seed % 2) return std::function<void()>(job)(); return (void)job(); }

int main(int, char **argv) {
    std::string fault = argv[1];
    seed = std::stoi(argv[2]);
    pilot = std::vector<std::string>{"aiko", "bent", "carlos", "d.moe", "edda", "fumi"}[seed % 6];
    // @SHIFT@
    if (fault == "strong") through([] { kite::fly(kite::Storm{}); });
    if (fault == "load") through([] { return kite::load({{"x", 1}}); });
    if (fault == "optional") std::cout << std::optional<int>{}.value();
    if (fault == "variant") std::cout << std::get<int>(std::variant<int, std::string>{pilot});
    if (fault == "any") std::cout << std::any_cast<double>(std::any(seed));
    if (fault == "dynamic") { kite::Wind wind; std::cout << dynamic_cast<kite::Storm &>(wind).force(); }
    if (fault == "filesystem") std::filesystem::file_size("/srv/kites/" + pilot + ".dat");
    if (fault == "regex") std::regex("(" + pilot);
    if (fault == "substr") std::cout << pilot.substr(seed + 10);
    if (fault == "length") std::vector<int> v(static_cast<size_t>(-seed));
    if (fault == "system") std::thread([] {}).detach(), std::thread().join();
    if (fault == "future") { std::promise<int> p; p.set_value(1); p.set_value(seed); }
    if (fault == "stoi") std::cout << std::stoi(pilot);
    if (fault == "stream") { std::ifstream in; in.exceptions(std::ios::failbit); in.open("/srv/kites/" + pilot); }
    if (fault == "nested") { try { kite::load({}); } catch (...) { std::throw_with_nested(kite::TooStrong("no kite for " + pilot)); } }
    if (fault == "joinable") { std::thread t([] {}); }
    if (fault == "bitset") std::cout << std::bitset<8>(pilot);
    // @SHIFT@
    if (fault == "asan_sum") std::cout << kite::Line<int>(4 + seed % 3).sum();
    if (fault == "asan_dangling") std::cout << kite::dangling();
    if (fault == "asan_unique") { auto *w = new kite::Storm; std::unique_ptr<kite::Wind> a(w), b(w); }
    if (fault == "asan_mismatch") { int *p = new int[seed]; free(p); }
    if (fault == "asan_iterator") { std::vector<int> v{1, 2, 3}; auto at = v.begin(); v.push_back(seed); v.reserve(1000); std::cout << *at; }
    if (fault == "checked_index") { std::vector<int> v(3); std::cout << v[seed]; }
    if (fault == "ubsan_times") { volatile int big = 0x7fffffff; volatile int one = 1 + seed % 2; std::cout << big * (one + 1); }
}
