/** Updates are added to weights. */
package io.github.urae.adapter.internal.merge;
