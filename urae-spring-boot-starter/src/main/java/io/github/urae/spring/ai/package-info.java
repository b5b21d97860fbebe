/** A pipeline as Spring AI's image model. */
package io.github.urae.spring.ai;
