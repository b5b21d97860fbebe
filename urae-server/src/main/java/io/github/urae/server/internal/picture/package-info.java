/** Pictures as files, small ones of them, and tiles. */
package io.github.urae.server.internal.picture;
