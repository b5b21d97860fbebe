/**
 * A pipeline in applications of Spring Boot: a bean from {@code urae.*}, with health, metrics and
 * an orderly end.
 */
package io.github.urae.spring;
