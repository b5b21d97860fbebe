/** Golden data recorded from the reference implementations, for the tests of all modules. */
package io.github.urae.testkit;
