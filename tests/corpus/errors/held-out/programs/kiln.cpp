// @SHIFT@
#include <cassert>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

static int seed;
// @SHIFT@
namespace kiln {

struct Brick { int weight; char name[8]; };

class Oven {
  public:
    std::vector<int> rows;
    // @SHIFT@
    int row(size_t n) { return rows.at(n); }
    int raw(size_t n) {
        // @SHIFT@
        return rows.data()[n];
    }
    void heat(int degrees) {
        // @SHIFT@
        assert(degrees > 0 && "cold oven");
        // @SHIFT@
        assert(degrees < 2000);
    }
};

class FireError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

// @SHIFT@
void fire(int n) {
    if (n > 0) throw FireError("flame " + std::to_string(n) + " went out");
}

int *lost() {
    // @SHIFT@
    return new int[10 + seed % 50];
}

Brick *broken() {
    // @SHIFT@
    auto brick = std::make_unique<Brick>();
    Brick *raw = brick.get();
    return raw;
}

int shifted(int by) {
    // @SHIFT@
    return 1 << by;
}

template <typename T> T weight(const Brick *brick) {
    // @SHIFT@
    return static_cast<T>(brick->weight);
}

int counter;

}  // namespace kiln

int main(int argc, char **argv) {
    std::string fault = argv[1];
    seed = atoi(argv[2]);
    // @SHIFT@
    kiln::Oven oven;
    oven.rows.resize(4 + seed % 4);
    if (fault == "at") return oven.row(10 + seed);
    if (fault == "fire") kiln::fire(seed);
    if (fault == "too_cold") oven.heat(-seed);
    if (fault == "too_hot") oven.heat(2000 + seed);
    if (fault == "asan_raw") return oven.raw(oven.rows.size());
    if (fault == "asan_freed") return kiln::broken()->weight;
    if (fault == "asan_null") return kiln::weight<int>(nullptr);
    if (fault == "asan_leak") return kiln::lost() == nullptr;
    if (fault == "asan_global") { static char name[8]; return name[strlen(argv[2]) + 8]; }
    if (fault == "ubsan_shift") return kiln::shifted(40 + seed);
    if (fault == "ubsan_null") return kiln::weight<long>(nullptr) == 3;
    if (fault == "tsan_counter") {
        // @SHIFT@
        auto count = [] { for (int n = 0; n < 1000; n++) kiln::counter++; };
        std::thread a(count), b(count);
        a.join(); b.join();
    }
    if (fault == "bad_alloc") { std::string text(1UL << 46, 'x'); puts(text.c_str()); }
    if (fault == "invalid_free") { int *p = (int *)malloc(40); free(p + 1 + seed % 3 * 4); }
    if (fault == "checked") { std::vector<int> v(2); return v[2 + seed]; }
    if (fault == "bad_function") { std::function<int()> f; return f(); }
    if (fault == "stol") return std::stol("brick" + std::to_string(seed));
    return 0;
}
