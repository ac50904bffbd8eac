/* The equations of problem.py for CPUs: plain C11, called through ctypes.
 *
 * Neurons don't depend on each other, so each thread takes a block of them, small enough for
 * its states to stay in cache, through all steps. Nothing is kept for the backward pass: it runs
 * the block forward once more, in segments that fit the cache, and then back.
 *
 * tables.inc lists what the caller can ask for. rows.inc holds the arithmetic of a step,
 * blocks.inc the way through time. Both are included once for each dtype and instruction set.
 * events.inc multiplies matrices by spikes.
 */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "tables.inc"

#ifndef SOURCES
#error "Define SOURCES as the hash of the sources, as setup.py does: `python setup.py build_ext -i`"
#endif

#define EXPORT __attribute__((visibility("default")))
#define INLINE static inline __attribute__((always_inline))

/* Below this many neuron-steps a second thread costs more than it gives. */
#define PARALLEL_FROM 32768
/* Bytes of states that a thread keeps in cache in the backward pass. */
#define CACHE (256 * 1024)
/* Neurons in a block: a multiple of WIDTH, what a cache line of float32 holds. */
#define WIDTH 16
#define LINES(n) (((n) + WIDTH - 1) & ~(int64_t)(WIDTH - 1))
#define MAX_BLOCK 1024
/* Numbers to pack at once, few enough to stay in a core's cache. */
#define MAX_PACKED 32768
/* Columns of a block of a table: what a core's registers hold. */
#define MAX_LANES 64
#define EACH_LANES(do) do(16) do(32) do(48) do(64)

enum { FORWARD, BACKWARD, SCAN, PACK, ADD_ROWS, ADD_TO_TABLE };
#define NUMBERED(number, ...) number,
enum { DTYPES(NUMBERED) DTYPE_COUNT };
enum { MODELS(NUMBERED) MODEL_COUNT };
#define COUNTED(number, name, states) states,
static const int64_t STATES_OF[] = {MODELS(COUNTED)}; /* besides the spikes */
enum { KINDS(NUMBERED) KIND_COUNT };
enum { STATE_NAMES(NUMBERED) STATES };
enum { PARAMETER_NAMES(NUMBERED) PARAMETERS };
#define NUMBERED_SURROGATE(name, slope) SURROGATE_##name,
enum { TABULATED, SURROGATES(NUMBERED_SURROGATE) SURROGATE_COUNT };

/* What the exported functions return: 0, or what went wrong. */
enum { NO_MEMORY = 1, UNKNOWN };

typedef void Parallel(void (*run)(void *), void *data, unsigned threads, unsigned flags);

/* One of the parameters: a constant where period is 0, else data[neuron % period]. */
typedef struct {
    const void *data;
    double constant;
    int64_t period;
} Value;

/* A tensor (time, neurons); stride counts elements from one step to the next, 0 if there is
 * but one row. No data: there is no such tensor. */
typedef struct {
    void *data;
    int64_t stride;
} Rows;

/* What packing found: how many numbers are not 0, and the bits of their one value. */
typedef struct {
    int64_t count;
    uint64_t value;
} Packed;
/* What is counted where there is more than one value. */
#define TOO_MANY ((int64_t)1 << 48)

#define MEMBER(type, code, name, count, each) type name count;
typedef struct { ARGS(MEMBER) } Args;
typedef struct { SCAN_ARGS(MEMBER) } Scan;
typedef struct { PACK_ARGS(MEMBER) } Pack;
typedef struct { PRODUCT_ARGS(MEMBER) } Product;
#define BYTES(type, code, name, count, each) + 8 * (sizeof #code - 1) * sizeof(char count)
_Static_assert(sizeof(Args) == 0 ARGS(BYTES) && sizeof(Scan) == 0 SCAN_ARGS(BYTES), "no gaps");
_Static_assert(sizeof(Pack) == 0 PACK_ARGS(BYTES), "no gaps");
_Static_assert(sizeof(Product) == 0 PRODUCT_ARGS(BYTES), "no gaps");

/* What the threads of one call share. */
typedef struct {
    const void *args;
    int task, failed;
    int64_t next, size, block;   /* the next block's first neuron; neurons in all, in a block */
    int64_t steps, length, kept; /* in the backward pass: steps of a segment, rows kept of each */
} Work;

/* Copy a row out. What won't be read soon needn't push other things out of the cache, nor be
 * fetched before it is overwritten. */
static void put(void *to, const void *from, size_t bytes, int64_t stream)
{
#if defined(__SSE2__)
    if (stream) {
        const size_t head = -(uintptr_t)to & 63;
        if (head < bytes) {
            memcpy(to, from, head);
            char *d = (char *)to + head;
            const char *s = (const char *)from + head;
            for (bytes -= head; bytes >= 64; bytes -= 64, d += 64, s += 64)
                for (int i = 0; i < 64; i += 16)
                    _mm_stream_si128((__m128i *)(d + i), _mm_loadu_si128((const __m128i *)(s + i)));
            memcpy(d, s, bytes);
            return;
        }
    }
#endif
    (void)stream;
    memcpy(to, from, bytes);
}

/* Writes past the cache must be visible before the caller goes on. */
static void finish(void)
{
#if defined(__SSE2__)
    _mm_sfence();
#endif
}

INLINE float as_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#define LN2_HIGH 0.693145751953125 /* so short that its multiples are exact */
#define LN2_LOW 1.42860682030941723212e-6

static const double INVERSE_FACTORIALS[] = {
    1.0,      1.0,       1.0 / 2,    1.0 / 6,     1.0 / 24,     1.0 / 120,     1.0 / 720,
    1.0 / 5040, 1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600};

/* What a thread works with: rows of one number per neuron of its block. */
#define DEFINE_BLOCK(real)                                                                  \
    typedef struct {                                                                        \
        int64_t n, pitch, kept, length; /* in the backward pass: rows of a step, steps at a time */ \
        int past;                       /* whether to write past the cache */               \
        real factor, soft;                                                                  \
        real *value[PARAMETERS], *drop, *drop_syn;                                              \
        const real *origin[STATES], *old[STATES];    /* states at first, before a step */   \
        real *new[STATES], *reached;                 /* states after it, and its U */       \
        const real *x, *outer[STATES], *slopes;      /* input, gradients, dS/dU */          \
        const real *x_ahead, *ahead[STATES];         /* input and gradients of what follows */ \
        real *out[STATES];                           /* where to put what is recorded */    \
        const real *later[STATES];                   /* gradients of the states after it */ \
        real *carry[STATES], *total[PARAMETERS];         /* of those before it, of the numbers */ \
        real *grad_x, *sum_x;                                                               \
        real *even[STATES], *odd[STATES], *carried[STATES];                                 \
        real *local, *spare[STATES], *slope, *zeros;                                        \
        real *trail, *starts; /* states of all steps of a segment, and where each starts */ \
    } Block_##real;

DEFINE_BLOCK(float)
DEFINE_BLOCK(double)

/* The rows to be allocated. */
#define FOUR(rows) &(rows)[0], &(rows)[1], &(rows)[2], &(rows)[3]
#define SIX(rows) FOUR(rows), &(rows)[4], &(rows)[5]
#define ROWS_OF(b)                                                                          \
    SIX((b)->value), &(b)->drop, &(b)->drop_syn, FOUR((b)->even), FOUR((b)->odd),           \
        &(b)->reached, FOUR((b)->carried), SIX((b)->total), &(b)->grad_x, &(b)->sum_x,      \
        &(b)->local, FOUR((b)->spare), &(b)->slope, &(b)->zeros

#define NEXT_BLOCK(work) __atomic_fetch_add(&(work)->next, (work)->block, __ATOMIC_RELAXED)

/* A loop is compiled for each rule, so that none has to ask what to do. */
#define RULE(model, kind, now, fed) ((((model) * 3 + (kind)) * 2 + (now)) * 2 + (fed))
#define RULE_OF(args) ((int)RULE((args)->model, (args)->kind, (args)->now, (args)->fed))
#define FOR_FLAGS(do, model, kind) \
    do(model, kind, 0, 0) do(model, kind, 0, 1) do(model, kind, 1, 0) do(model, kind, 1, 1)
#define FOR_KINDS(do, model) \
    FOR_FLAGS(do, model, LINEAR) FOR_FLAGS(do, model, ZERO) FOR_FLAGS(do, model, ZERO_OLD)
#define FOR_ALL_RULES(do) \
    FOR_KINDS(do, LEAKY) FOR_KINDS(do, SYNAPTIC) FOR_KINDS(do, ALPHA_MODEL)

#define JOIN_(a, b, c) a##_##b##c
#define JOIN(a, b, c) JOIN_(a, b, c)
#define FN(name) JOIN(name, TYPE, SET)      /* one for each dtype and instruction set */
#define REAL_FN(name) JOIN(name, REAL, SET) /* bfloat16 shares that of float */

#define SET
#define TARGET
#define VECTOR 16
#define DTYPE 32
#include "rows.inc"
#include "blocks.inc"
#define DTYPE 64
#include "rows.inc"
#include "blocks.inc"
#define DTYPE 16
#include "rows.inc"
#include "blocks.inc"
#include "events.inc"
#undef SET
#undef TARGET
#undef VECTOR

/* Once more for AVX2, to be chosen where there is one. */
#if defined(__x86_64__)
#define SET _avx2
#define TARGET __attribute__((target("avx2")))
#define VECTOR 32
#define DTYPE 32
#include "rows.inc"
#include "blocks.inc"
#define DTYPE 64
#include "rows.inc"
#include "blocks.inc"
#define DTYPE 16
#include "rows.inc"
#include "blocks.inc"
#include "events.inc"
#define CHOOSE(name, type) (__builtin_cpu_supports("avx2") ? name##_##type##_avx2 : name##_##type)
#else
#define CHOOSE(name, type) name##_##type
#endif

#define CHOOSE_BY(dtype)                                                        \
    ((dtype) == F32 ? CHOOSE(work, f32) : (dtype) == F64 ? CHOOSE(work, f64) : CHOOSE(work, bf16))

typedef struct {
    void (*run)(void *);
    Work *work;
} Thread;

static void *start_thread(void *data)
{
    Thread *thread = data;
    thread->run(thread->work);
    return NULL;
}

/* Have all threads take blocks of at most most neurons until there are none. OpenMP's own
 * threads are those that torch uses. */
static int share(Work *work, void run(void *), int64_t most, int64_t threads, Parallel *parallel)
{
    int64_t blocks = (work->size + most - 1) / most;
    if (work->steps * work->size < PARALLEL_FROM)
        threads = 1;
    if (blocks < 4 * threads) /* few: as many for each thread */
        blocks = (blocks + threads - 1) / threads * threads;
    work->block = LINES((work->size + blocks - 1) / blocks);
    work->block = work->block < most ? work->block : most;
    if (threads == 1) {
        run(work);
    } else if (parallel) {
        parallel(run, work, (unsigned)threads, 0);
    } else {
        Thread thread = {run, work};
        pthread_t *started = malloc(sizeof *started * threads);
        int64_t count = 0;
        while (started && count < threads - 1
               && !pthread_create(started + count, NULL, start_thread, &thread))
            count++;
        run(work);
        while (count)
            pthread_join(started[--count], NULL);
        free(started);
    }
    return work->failed ? NO_MEMORY : 0;
}

/* The tables, a line each; the numbers are the places. A field says in the letters of Python's
 * struct what it is made of, and of which table it has one for each row. */
#define WORD(number, name, ...) " " #name
#define MODEL_WORD(number, name, states) " " #name ":" #states
#define SURROGATE_WORD(name, slope) " " #name
#define FIELD(type, code, name, count, each) " " #name ":" #code ":" #each

EXPORT const char *snn_tables(void)
{
    return "dtypes" DTYPES(WORD) "\n"
           "models" MODELS(MODEL_WORD) "\n"
           "kinds" KINDS(WORD) "\n"
           "states" STATE_NAMES(WORD) "\n"
           "parameters" PARAMETER_NAMES(WORD) "\n"
           "surrogates Tabulated" SURROGATES(SURROGATE_WORD) "\n"
           "args" ARGS(FIELD) "\n"
           "scan" SCAN_ARGS(FIELD) "\n"
           "pack" PACK_ARGS(FIELD) "\n"
           "product" PRODUCT_ARGS(FIELD);
}

/* What tells these sources from others. */
EXPORT uint64_t snn_sources(void)
{
    return SOURCES;
}

static int is_known(const Args *args)
{
#define BELOW(number, count) ((uint64_t)(number) < (count))
    return BELOW(args->dtype, DTYPE_COUNT) && BELOW(args->model, MODEL_COUNT)
           && BELOW(args->kind, KIND_COUNT) && BELOW(args->surrogate, SURROGATE_COUNT)
           && BELOW(args->now, 2) && BELOW(args->fed, 2) && args->steps > 0 && args->size > 0;
}

EXPORT int snn_forward(const Args *args)
{
    if (!is_known(args))
        return UNKNOWN;
    Work work = {.args = args, .task = FORWARD, .size = args->size, .steps = args->steps};
    return share(&work, CHOOSE_BY(args->dtype), MAX_BLOCK, args->threads, args->parallel);
}

EXPORT int snn_backward(const Args *args)
{
    if (!is_known(args))
        return UNKNOWN;
    Work work = {.args = args, .task = BACKWARD, .size = args->size, .steps = args->steps};
    const int64_t real = args->dtype == F64 ? sizeof(double) : sizeof(float);
    const int64_t kept = STATES_OF[args->model] + args->fed + args->now;
    int64_t most = CACHE / (kept * (args->steps + 1) * real) & ~(int64_t)(WIDTH - 1);
    /* Narrow rows cost more than one more forward pass, the more so where the next block comes
     * so much later that the pages have to be looked up anew. */
    const int64_t least = args->steps > 2048 ? MAX_BLOCK : MAX_BLOCK / 2;
    most = most < least ? least : most < MAX_BLOCK ? most : MAX_BLOCK;
    const int64_t fitting = CACHE / (kept * most * real);
    const int64_t segments = (args->steps + fitting - 1) / fitting;
    work.kept = kept;
    work.length = (args->steps + segments - 1) / segments;
    return share(&work, CHOOSE_BY(args->dtype), most, args->threads, args->parallel);
}

EXPORT int snn_scan(const Scan *args)
{
    if ((args->dtype != F32 && args->dtype != F64) || args->steps < 1 || args->size < 1)
        return UNKNOWN;
    Work work = {.args = args, .task = SCAN, .size = args->size, .steps = args->steps};
    return share(&work, CHOOSE_BY(args->dtype), MAX_BLOCK, args->threads, args->parallel);
}

EXPORT int snn_pack(const Pack *args)
{
    if (args->size < 1)
        return UNKNOWN;
    Work work = {.args = args, .task = PACK, .size = args->size, .steps = 1};
    return share(&work, CHOOSE(work, bits), MAX_PACKED, args->threads, args->parallel);
}

static int product(const Product *args, int task, int64_t size, int64_t steps)
{
    const int known = args->lanes > 0 && args->lanes % 16 == 0 && args->lanes <= MAX_LANES;
    if (!known || args->count < 1 || args->size < 1 || args->columns < 1)
        return UNKNOWN;
    Work work = {.args = args, .task = task, .size = size, .steps = steps};
    return share(&work, CHOOSE(work, bits), MAX_BLOCK, args->threads, args->parallel);
}

EXPORT int snn_add_rows(const Product *args)
{
    return product(args, ADD_ROWS, args->count, args->size);
}

EXPORT int snn_add_to_table(const Product *args)
{
    return product(args, ADD_TO_TABLE, args->size, args->count);
}
