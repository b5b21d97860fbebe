/** What is to be drawn, in which order, and what became of it. */
package io.github.urae.server.internal.job;
