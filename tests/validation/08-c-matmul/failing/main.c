#include "matrix.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static void fill(Matrix *m, unsigned seed)
{
    for (size_t i = 0; i < m->rows * m->cols; i++) {
        seed = seed * 1664525u + 1013904223u;
        m->data[i] = (double)(seed >> 16) / 65536.0 - 0.5;
    }
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int self_test(void)
{
    static const size_t sizes[][3] = {{1, 1, 1}, {2, 3, 4}, {64, 64, 64}, {65, 63, 130}, {1, 200, 1}};
    int failed = 0;
    for (size_t t = 0; t < sizeof sizes / sizeof *sizes; t++) {
        Matrix a = matrix_new(sizes[t][0], sizes[t][1]), b = matrix_new(sizes[t][1], sizes[t][2]);
        fill(&a, 1);
        fill(&b, 2);
        Matrix c = matrix_mul_naive(&a, &b), d = matrix_mul_blocked(&a, &b);
        double diff = matrix_max_difference(&c, &d);
        int ok = diff < 1e-9;
        printf("%s %zux%zu * %zux%zu\n", ok ? "ok  " : "FAIL", a.rows, a.cols, b.rows, b.cols);
        failed |= !ok;
        matrix_free(&a);
        matrix_free(&b);
        matrix_free(&c);
        matrix_free(&d);
    }
    Matrix a = matrix_new(2, 3), b = matrix_new(2, 3);
    Matrix c = matrix_mul_blocked(&a, &b);
    printf("%s wrong sizes are refused\n", c.data ? "FAIL" : "ok  ");
    failed |= c.data != NULL;
    matrix_free(&a);
    matrix_free(&b);
    matrix_free(&c);
    return failed;
}

static int bench(size_t n)
{
    Matrix a = matrix_new(n, n), b = matrix_new(n, n);
    if (!a.data || !b.data) {
        fprintf(stderr, "matmul: no memory for %zu x %zu\n", n, n);
        return 1;
    }
    fill(&a, 1);
    fill(&b, 2);
    double t0 = now();
    Matrix c = matrix_mul_naive(&a, &b);
    double t1 = now();
    Matrix d = matrix_mul_blocked(&a, &b);
    double t2 = now();
    printf("naive   %.3f s\nblocked %.3f s\nmax difference %.2g\n", t1 - t0, t2 - t1, matrix_max_difference(&c, &d));
    matrix_free(&a);
    matrix_free(&b);
    matrix_free(&c);
    matrix_free(&d);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--self-test") == 0)
        return self_test();
    if (argc == 3 && strcmp(argv[1], "--bench") == 0)
        return bench(strtoul(argv[2], NULL, 10));
    if (argc != 2 || argv[1][0] == '-') {
        fprintf(stderr, "usage: matmul FILE | --self-test | --bench N\n");
        return 2;
    }
    FILE *in = fopen(argv[1], "r");
    if (!in) {
        perror(argv[1]);
        return 1;
    }
    Matrix a = matrix_read(in), b = matrix_read(in);
    fclose(in);
    if (!a.data || !b.data) {
        fprintf(stderr, "matmul: %s does not hold two matrices\n", argv[1]);
        return 1;
    }
    Matrix c = matrix_mul_blocked(&a, &b);
    if (!c.data) {
        fprintf(stderr, "matmul: cannot multiply %zux%zu by %zux%zu\n", a.rows, a.cols, b.rows, b.cols);
        return 1;
    }
    matrix_print(&c, stdout);
    matrix_free(&a);
    matrix_free(&b);
    matrix_free(&c);
    return 0;
}
