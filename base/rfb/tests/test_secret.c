/* VncAuth: answers, and password files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rfb/secret.h"
#include "base/tests/test.h"

/* As OpenSSL's des-ecb has it, with the bits of each character of the key mirrored. */
TEST(an_answer_is_that_of_other_implementations)
{
    static const uint8_t challenge[SECRET_BYTES] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                    8, 9, 10, 11, 12, 13, 14, 15};
    static const uint8_t known[SECRET_BYTES] = {0xb8, 0x66, 0x92, 0x41, 0x25, 0xc8, 0xee, 0xbb,
                                                0x9d, 0xeb, 0xc1, 0xdb, 0x61, 0xc5, 0x38, 0xe2};
    uint8_t answer[SECRET_BYTES];
    assert_true(secret_answer("password", challenge, answer));
    assert_memory_equal(answer, known, sizeof known);
    assert_true(secret_answer("passwords are cut", challenge, answer));
    assert_memory_equal(answer, known, sizeof known);
    assert_true(secret_answer("passwor", challenge, answer));
    assert_memory_not_equal(answer, known, sizeof known);
}

TEST(equal_answers_are_told_from_others)
{
    uint8_t one[SECRET_BYTES] = {1}, other[SECRET_BYTES] = {1};
    assert_true(secret_equal(one, other));
    for (unsigned i = 0; i < SECRET_BYTES; i++) {
        other[i] ^= 0x80;
        assert_false(secret_equal(one, other));
        other[i] ^= 0x80;
    }
}

TEST(no_challenge_comes_twice)
{
    uint8_t one[SECRET_BYTES] = {0}, other[SECRET_BYTES] = {0};
    assert_true(secret_challenge(one) && secret_challenge(other));
    assert_memory_not_equal(one, other, sizeof one);
}

static void read_file(const char *text, bool good, const char *expected)
{
    char path[] = "/tmp/fanin-secret-XXXXXX", why[256] = "", password[SECRET_PASSWORD_MAX + 1];
    const int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    close(file);
    assert_int_equal(secret_read(path, password, why, sizeof why), good);
    unlink(path);
    if (good)
        assert_string_equal(password, expected);
    else
        assert_true(strstr(why, path) != NULL && strstr(why, expected) != NULL);
}

TEST(the_first_line_of_a_file_is_the_password)
{
    char why[256], password[SECRET_PASSWORD_MAX + 1];
    read_file("secret\n", true, "secret");
    read_file("secret", true, "secret");
    read_file("8letters\r\nmore\n", true, "8letters");
    read_file("two words: no\n", false, "8 characters");
    read_file("123456789\n", false, "8 characters");
    read_file("", false, "empty");
    read_file("\nsecret\n", false, "empty");
    assert_false(secret_read("/nowhere/secret", password, why, sizeof why));
    assert_non_null(strstr(why, "/nowhere/secret"));
}
