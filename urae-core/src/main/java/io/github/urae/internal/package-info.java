/** Shared by this library's modules; not for its users, and changed without notice. */
package io.github.urae.internal;
