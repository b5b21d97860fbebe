/** Picture files. */
package io.github.urae.image.internal;
