/* Who reads and who writes what in a launch that is emulated: races, and places outside of all arrays.

   Linked to a source that was compiled with -fsanitize=thread: the compiler then calls the functions below before each
   load and store, and these are ours instead of the sanitizer's. For each word of memory it is known who touched it
   last. Two threads disturb each other if both touch a word, one of them writes, not both by atomic or relaxed
   operations, and no barrier stands between them: only threads of one block have barriers. Threads run one after the
   other, so that it is enough to keep the last one that wrote, and of those that read the last one, the last one that
   is another, and the last one of another block. */

#include <csetjmp>
#include <cstdint>
#include <cstdlib>
#include <link.h>

struct Emulated3 {
    unsigned int x, y, z;
};

/* An array: where it lies, and what is known about each of its words. */
struct Extent {
    std::uint64_t start, size;
};

enum Kind { race = 1, outside = 2, unwritten = 3 };

struct Report {
    std::uint64_t extent, place;
    std::uint32_t kind, size, writes, other_writes;
    std::uint32_t thread, other; /* numbers in the whole grid */
};

struct Touch {
    std::uint32_t thread, epoch; /* counted from 1; 0 for nobody */
};

struct Word {
    Touch writer[2];   /* plain, relaxed */
    Touch reader[2][3]; /* the last one; the last one of another thread; the last one of another block */
};

extern "C" {
Emulated3 gridDim = {1, 1, 1}, blockDim = {1, 1, 1}, blockIdx = {0, 0, 0}, threadIdx = {0, 0, 0};
unsigned int emulated_epoch = 0;
extern char __start_emulated_shared[] __attribute__((weak, visibility("hidden")));
extern char __stop_emulated_shared[] __attribute__((weak, visibility("hidden")));
}

namespace {

constexpr std::uint64_t WORD = 4, MOST = 16;

Extent *extents = nullptr;
Word **words = nullptr;
std::uint64_t count = 0, found = 0;
Report *reports = nullptr;
std::jmp_buf escape;
const char *stack_top = nullptr;
std::uint64_t own_start = 0, own_stop = 0; /* constants of the source, and the state of the emulation */

int find_own(dl_phdr_info *info, std::size_t, void *)
{
    std::uint64_t first = ~0ull, last = 0;
    for (int k = 0; k < info->dlpi_phnum; ++k)
        if (info->dlpi_phdr[k].p_type == PT_LOAD) {
            const std::uint64_t start = info->dlpi_addr + info->dlpi_phdr[k].p_vaddr;
            first = start < first ? start : first;
            last = start + info->dlpi_phdr[k].p_memsz > last ? start + info->dlpi_phdr[k].p_memsz : last;
        }
    if (first > (std::uint64_t)&own_start || (std::uint64_t)&own_start >= last)
        return 0;
    own_start = first;
    own_stop = last;
    return 1;
}

std::uint32_t block_of(std::uint32_t thread)
{
    return (thread - 1) / (blockDim.x + 1);
}

/* Code that a block runs outside of THREADS counts as one more thread. */
std::uint32_t current()
{
    return (blockIdx.y * gridDim.x + blockIdx.x) * (blockDim.x + 1) + threadIdx.x + 1;
}

bool meet(const Touch &a, const Touch &b)
{
    return a.thread && a.thread != b.thread && (block_of(a.thread) != block_of(b.thread) || a.epoch == b.epoch);
}

void report(Kind kind, std::uint64_t extent, std::uint64_t place, unsigned int size, int writes, std::uint32_t other,
            int other_writes)
{
    if (found < MOST)
        reports[found++] = {extent, place, kind, size, (std::uint32_t)writes, (std::uint32_t)other_writes, current(), other};
}

void note(Touch (&kept)[3], const Touch &now)
{
    if (kept[0].thread != now.thread) {
        if (kept[0].thread && block_of(kept[0].thread) != block_of(now.thread))
            kept[2] = kept[0];
        kept[1] = kept[0];
    }
    kept[0] = now;
}

void touch_word(std::uint64_t extent, std::uint64_t place, unsigned int size, int writes, int relaxed)
{
    Word &word = words[extent][place / WORD];
    const Touch now = {current(), emulated_epoch};
    for (int kind = 0; kind <= !relaxed; ++kind) /* relaxed ones do not disturb each other */
        if (meet(word.writer[kind], now))
            return report(race, extent, place, size, writes, word.writer[kind].thread, 1);
    if (writes)
        for (int kind = 0; kind <= !relaxed; ++kind)
            for (const Touch &reader : word.reader[kind])
                if (meet(reader, now))
                    return report(race, extent, place, size, writes, reader.thread, 0);
    if (writes)
        word.writer[relaxed] = now;
    else
        note(word.reader[relaxed], now);
}

/* Shared memory is that of a block: what others had there is gone. */
bool is_stale(std::uint64_t extent, std::uint64_t place)
{
    const Word &word = words[extent][place / WORD];
    const std::uint32_t block = block_of(current());
    for (const Touch &writer : word.writer)
        if (writer.thread && block_of(writer.thread) == block)
            return false;
    return true;
}

void touch_shared(std::uint64_t place, unsigned int size, int writes, int relaxed)
{
    for (std::uint64_t at = place; at < place + size; at += WORD)
        if (is_stale(count, at)) {
            if (!writes) {
                report(unwritten, count, at, size, 0, 0, 0);
                return;
            }
            words[count][at / WORD] = Word{};
        }
    for (std::uint64_t at = place; at < place + size; at += WORD)
        touch_word(count, at, size, writes, relaxed);
}

void touch(const void *address, unsigned int size, int writes, int relaxed)
{
    if (!reports)
        return;
    char here;
    const std::uint64_t at = (std::uint64_t)address;
    if (at >= (std::uint64_t)&here && at < (std::uint64_t)stack_top)
        return;
    const std::uint64_t shared = at - (std::uint64_t)__start_emulated_shared;
    if (at >= (std::uint64_t)__start_emulated_shared && at < (std::uint64_t)__stop_emulated_shared)
        return touch_shared(shared, size, writes, relaxed);
    for (std::uint64_t k = 0; k < count; ++k)
        if (at >= extents[k].start && at + size <= extents[k].start + extents[k].size) {
            for (std::uint64_t place = at - extents[k].start; place < at - extents[k].start + size; place += WORD)
                touch_word(k, place, size, writes, relaxed);
            return;
        }
    if (at >= own_start && at < own_stop)
        return;
    report(outside, 0, at, size, writes, 0, 0);
    std::longjmp(escape, 1);
}

} // namespace

extern "C" {

using Launch = void (*)(void **, unsigned int, unsigned int, unsigned int, unsigned int);

/* Make a launch; how many reports were written, of room for 16. */
unsigned int emulated_check(Launch launch, void **arguments, unsigned int blocks, unsigned int items,
                            unsigned int threads, unsigned int order, Extent *arrays, std::uint64_t number, Report *into)
{
    char here;
    const std::uint64_t shared = (std::uint64_t)__stop_emulated_shared - (std::uint64_t)__start_emulated_shared;
    if (!own_stop)
        dl_iterate_phdr(find_own, nullptr);
    words = (Word **)std::calloc(number + 1, sizeof(Word *));
    for (std::uint64_t k = 0; k <= number; ++k)
        words[k] = (Word *)std::calloc((k < number ? arrays[k].size : shared) / WORD + 2, sizeof(Word));
    extents = arrays;
    count = number;
    found = 0;
    stack_top = &here;
    reports = into;
    if (!setjmp(escape))
        launch(arguments, blocks, items, threads, order);
    reports = nullptr;
    for (std::uint64_t k = 0; k <= number; ++k)
        std::free(words[k]);
    std::free(words);
    return (unsigned int)found;
}

void emulated_relaxed(const void *place, unsigned int size, int writes)
{
    touch(place, size, writes, 1);
}

#define TOUCH(size)                                                                                                    \
    void __tsan_read##size(void *place) { touch(place, size, 0, 0); }                                                  \
    void __tsan_write##size(void *place) { touch(place, size, 1, 0); }                                                 \
    void __tsan_unaligned_read##size(void *place) { touch(place, size, 0, 0); }                                        \
    void __tsan_unaligned_write##size(void *place) { touch(place, size, 1, 0); }
TOUCH(1)
TOUCH(2)
TOUCH(4)
TOUCH(8)
TOUCH(16)

void __tsan_read_range(void *place, unsigned long size) { touch(place, (unsigned int)size, 0, 0); }
void __tsan_write_range(void *place, unsigned long size) { touch(place, (unsigned int)size, 1, 0); }
void __tsan_init() {}
void __tsan_func_entry(void *) {}
void __tsan_func_exit() {}
}
