/** What the beans are made of. */
package io.github.urae.spring.internal;
