/** The {@code urae train} command. */
package io.github.urae.cli.train;
