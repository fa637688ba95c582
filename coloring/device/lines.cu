/* Partial distance-2 coloring: vertices that share a net get different colors.

   Colors are found in windows of 64, so that what a net has used is one word. In each round all vertices without a
   color choose one among those that their nets have left (pick), tell their nets (claim), and keep it unless a vertex
   of the same net with a higher priority chose the same (resolve); then nets note what was kept (commit). Each step
   reads what the step before has written, and all that several threads write to one place are bits and counts, whose
   order does not matter: the colors are the same in every run, on every device, for any number of threads.

   `uncolored` are the vertices without a color, `chosen` their choice of this round: a bit of the window, OPEN while
   there is none, FULL where the window has no color left. */

#define OPEN -1
#define FULL 64

/* What may be wrong with index arrays. */
#define WRONG_ENDS 1
#define OUTSIDE 2
#define NOT_RISING 4

/* Whether index arrays are a pattern by rows; nothing beyond their ends is read. */
extern "C" __global__ void wrong(const u64 rows, const int entries, const int columns, const int *indptr,
                                 const int *indices, u32 *found)
{
    EACH(row, rows) {
        const int start = indptr[row], end = indptr[row + 1];
        u32 bits = 0;
        if (start < 0 || end < start || end > entries || (row == 0 && start) || (row + 1 == rows && end != entries)) {
            atomicOr(found, (u32)WRONG_ENDS);
            continue;
        }
        for (int k = start; k < end; ++k) {
            bits |= indices[k] < 0 || indices[k] >= columns ? OUTSIDE : 0;
            bits |= k > start && indices[k] <= indices[k - 1] ? NOT_RISING : 0;
        }
        if (bits)
            atomicOr(found, bits);
    }
}


/* The nets of each vertex from the vertices of each net: sizes, then places. */
extern "C" __global__ void count_nets(const u64 entries, const int *vertices, u32 *sizes)
{
    EACH(k, entries)
        atomicAdd(sizes + vertices[k], 1u);
}

extern "C" __global__ void fill_nets(const u64 nets, const int *net_ptr, const int *net_vertices, u32 *next,
                                     int *vertex_nets)
{
    EACH(net, nets)
        for (int k = net_ptr[net]; k < net_ptr[net + 1]; ++k)
            vertex_nets[atomicAdd(next + net_vertices[k], 1u)] = (int)net;
}

/* What a net has left to do: the vertices without a color. */
extern "C" __global__ void begin(const u64 nets, const int *net_ptr, const int *net_vertices, const int *colors,
                                 u64 *used, u64 *once, u64 *twice, u32 *waiting)
{
    EACH(net, nets) {
        u32 count = 0;
        for (int k = net_ptr[net]; k < net_ptr[net + 1]; ++k)
            count += colors[net_vertices[k]] < 0;
        used[net] = once[net] = twice[net] = 0;
        waiting[net] = count;
    }
}

/* Choose one of the first free colors: as many of them as the fullest net has vertices waiting. */
extern "C" __global__ void pick(const u64 count, const int *uncolored, const int *vertex_ptr, const int *vertex_nets,
                                const u64 *used, const u32 *waiting, const u32 seed, const u32 round, int *chosen)
{
    EACH(i, count) {
        const int vertex = uncolored[i];
        u64 taken = 0;
        u32 most = 1;
        for (int k = vertex_ptr[vertex]; k < vertex_ptr[vertex + 1]; ++k) {
            const int net = vertex_nets[k];
            taken |= used[net];
            most = waiting[net] > most ? waiting[net] : most;
        }
        u64 free = ~taken;
        if (!free) {
            chosen[vertex] = FULL;
            continue;
        }
        const u32 left = (u32)__popcll(free);
        u32 skipped = mixed(priority((u32)vertex, seed) + round) % (most < left ? most : left);
        for (; skipped; --skipped)
            free &= free - 1;
        chosen[vertex] = __ffsll((long long)free) - 1;
    }
}

extern "C" __global__ void claim(const u64 count, const int *uncolored, const int *vertex_ptr, const int *vertex_nets,
                                 const int *chosen, u64 *once, u64 *twice)
{
    EACH(i, count) {
        const int vertex = uncolored[i], color = chosen[vertex];
        if (color == FULL)
            continue;
        const u64 bit = 1ull << color;
        for (int k = vertex_ptr[vertex]; k < vertex_ptr[vertex + 1]; ++k)
            if (atomicOr(once + vertex_nets[k], bit) & bit)
                atomicOr(twice + vertex_nets[k], bit);
    }
}

/* Whether a vertex of the net with a higher priority chose the same color. */
static __device__ __forceinline__ bool loses(const int vertex, const int net, const int *net_ptr,
                                             const int *net_vertices, const int *colors, const int *chosen,
                                             const u32 seed)
{
    const u32 mine = priority((u32)vertex, seed);
    for (int k = net_ptr[net]; k < net_ptr[net + 1]; ++k) {
        const int other = net_vertices[k];
        if (other != vertex && colors[other] < 0 && chosen[other] == chosen[vertex]
            && priority((u32)other, seed) > mine)
            return true;
    }
    return false;
}

extern "C" __global__ void resolve(const u64 count, const int *uncolored, const int *vertex_ptr,
                                   const int *vertex_nets, const int *net_ptr, const int *net_vertices,
                                   const int *colors, const int *chosen, const u64 *twice, const u32 seed, int *kept)
{
    EACH(i, count) {
        const int vertex = uncolored[i], color = chosen[vertex];
        bool keeps = color != FULL;
        for (int k = vertex_ptr[vertex]; keeps && k < vertex_ptr[vertex + 1]; ++k)
            if (twice[vertex_nets[k]] >> color & 1)
                keeps = !loses(vertex, vertex_nets[k], net_ptr, net_vertices, colors, chosen, seed);
        kept[i] = keeps;
    }
}

/* Note what was kept, forget the claims, and list who goes on: in this window, or in the next one. */
extern "C" __global__ void commit(const u64 count, const int *uncolored, const int *vertex_ptr,
                                  const int *vertex_nets, const int *chosen, const int *kept, const int base,
                                  int *colors, u64 *used, u64 *once, u64 *twice, u32 *waiting, int *remaining,
                                  int *later, u32 *counts)
{
    EACH(i, count) {
        const int vertex = uncolored[i], color = chosen[vertex];
        for (int k = vertex_ptr[vertex]; k < vertex_ptr[vertex + 1]; ++k) {
            const int net = vertex_nets[k];
            RELAXED_STORE(once + net, 0);
            RELAXED_STORE(twice + net, 0);
            if (kept[i]) {
                atomicOr(used + net, 1ull << color);
                atomicSub(waiting + net, 1u);
            } else if (color == FULL) {
                atomicSub(waiting + net, 1u);
            }
        }
        if (kept[i])
            colors[vertex] = base + color;
        else if (color == FULL)
            later[atomicAdd(counts + 1, 1u)] = vertex;
        else
            remaining[atomicAdd(counts, 1u)] = vertex;
    }
}

/* Color the vertices of one color again, by the smallest colors that those before them have left: they share no net,
   so that they never disturb each other, and no more colors are needed than before. `used` has `words` words a net. */
extern "C" __global__ void recolor(const u64 count, const int *members, const int *vertex_ptr, const int *vertex_nets,
                                   const int words, u64 *used, int *colors)
{
    EACH(i, count) {
        const int vertex = members[i];
        int color = -1;
        for (int word = 0; color < 0; ++word) {
            u64 taken = 0;
            for (int k = vertex_ptr[vertex]; k < vertex_ptr[vertex + 1]; ++k)
                taken |= used[vertex_nets[k] * (u64)words + word];
            if (~taken)
                color = 64 * word + __ffsll((long long)~taken) - 1;
        }
        colors[vertex] = color;
        for (int k = vertex_ptr[vertex]; k < vertex_ptr[vertex + 1]; ++k)
            used[vertex_nets[k] * (u64)words + color / 64] |= 1ull << (color & 63);
    }
}

/* Which of `moduli` numbers of colors, from `first` up to 128, fail if vertex v gets color v mod that number: some net
   has two vertices of one color. Looks at every `step`-th net; of a closed net, its own number is a vertex, too. */
extern "C" __global__ void modular(const u64 count, const u64 step, const int *net_ptr, const int *net_vertices,
                                   const int closed, const int first, const int moduli, u32 *fails)
{
    EACH(i, count * moduli) {
        const u64 net = i / moduli * step;
        const int k = (int)(i % moduli), modulus = first + k;
        if (RELAXED_LOAD(fails + k))
            continue;
        u64 low = 0, high = 0;
        for (int at = net_ptr[net] - closed; at < net_ptr[net + 1]; ++at) {
            const int color = (at < net_ptr[net] ? (int)net : net_vertices[at]) % modulus;
            const u64 bit = 1ull << (color & 63), mine = color < 64 ? bit : 0, other = bit ^ mine;
            if ((low & mine) | (high & other)) {
                RELAXED_STORE(fails + k, 1);
                break;
            }
            low |= mine;
            high |= other;
        }
    }
}

/* Whether some net has two vertices of one color, of fewer than 128; looks at every `step`-th net. */
extern "C" __global__ void clashes(const u64 count, const u64 step, const int *net_ptr, const int *net_vertices,
                                   const int closed, const int *colors, u32 *found)
{
    EACH(i, count) {
        const u64 net = i * step;
        u64 low = 0, high = 0;
        for (int at = net_ptr[net] - closed; at < net_ptr[net + 1]; ++at) {
            const int color = colors[at < net_ptr[net] ? (int)net : net_vertices[at]];
            const u64 bit = 1ull << (color & 63), mine = color < 64 ? bit : 0, other = bit ^ mine;
            if ((low & mine) | (high & other)) {
                RELAXED_STORE(found, 1);
                break;
            }
            low |= mine;
            high |= other;
        }
    }
}

/* How many pairs of vertices of a net have the same color: for tests, slow and obvious. */
extern "C" __global__ void collisions(const u64 nets, const int *net_ptr, const int *net_vertices, const int *colors,
                                      u32 *found)
{
    EACH(net, nets)
        for (int k = net_ptr[net]; k < net_ptr[net + 1]; ++k)
            for (int j = net_ptr[net]; j < k; ++j)
                if (colors[net_vertices[j]] == colors[net_vertices[k]])
                    atomicAdd(found, 1u);
}
