/**
 * What every part of the library shares: its exceptions and its progress reports.
 *
 * <p>All exceptions of this library are unchecked and extend {@link io.github.urae.UraeException};
 * failures to read or write a file stay {@link java.io.IOException}.
 */
package io.github.urae;
