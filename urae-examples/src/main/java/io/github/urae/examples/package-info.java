/** Short programs to copy: one file each, with nothing but the library and the JDK. */
package io.github.urae.examples;
