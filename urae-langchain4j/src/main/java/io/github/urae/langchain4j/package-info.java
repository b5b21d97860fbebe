/** A pipeline as LangChain4j's image model. */
package io.github.urae.langchain4j;
