/** The {@code urae} command. */
package io.github.urae.cli;
