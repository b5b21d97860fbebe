/** Modules of adapters meet weights of a model. */
package io.github.urae.adapter.internal.match;
