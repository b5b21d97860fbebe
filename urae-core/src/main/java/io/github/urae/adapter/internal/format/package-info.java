/** Adapter files: every format's keys become modules. */
package io.github.urae.adapter.internal.format;
