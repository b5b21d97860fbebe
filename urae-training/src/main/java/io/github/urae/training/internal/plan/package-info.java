/** What a training takes of time and memory, before it begins. */
package io.github.urae.training.internal.plan;
