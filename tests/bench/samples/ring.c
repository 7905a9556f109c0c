/* A ring of bytes between one writer and one reader. */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RING_BITS 12
#define RING_SIZE (1u << RING_BITS)
#define MIN(a, b) ((a) < (b) ? (a) : (b))

typedef struct ring {
    _Atomic uint32_t head;
    _Atomic uint32_t tail;
    uint8_t bytes[RING_SIZE];
} ring_t;

static inline uint32_t ring_used(const ring_t *ring)
{
    return atomic_load(&ring->head) - atomic_load(&ring->tail);
}

size_t ring_write(ring_t *ring, const void *data, size_t length)
{
    const uint8_t *from = data;
    size_t room = RING_SIZE - ring_used(ring);
    size_t n = MIN(room, length);

    for (size_t i = 0; i < n; i++) {
        uint32_t at = (atomic_load(&ring->head) + (uint32_t)i) & (RING_SIZE - 1);
        ring->bytes[at] = from[i];
    }
    /* The reader may see the bytes only now. */
    atomic_fetch_add(&ring->head, (uint32_t)n);
    return n;
}

bool ring_read(ring_t *ring, uint8_t *byte)
{
    if (ring_used(ring) == 0) {
        errno = EAGAIN;
        return false;
    }
    *byte = ring->bytes[atomic_fetch_add(&ring->tail, 1) & (RING_SIZE - 1)];
    return true;
}

int main(int argc, char **argv)
{
    ring_t *ring = calloc(1, sizeof *ring);
    if (ring == NULL) {
        fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
        return EXIT_FAILURE;
    }
    for (int i = 1; i < argc; i++) {
        size_t written = ring_write(ring, argv[i], strlen(argv[i]));
        printf("%d: %zu bytes, 0x%08x used\n", i, written, ring_used(ring));
    }
    uint8_t byte;
    while (ring_read(ring, &byte))
        putchar(byte == '\t' ? ' ' : byte);
    free(ring);
    return EXIT_SUCCESS;
}
