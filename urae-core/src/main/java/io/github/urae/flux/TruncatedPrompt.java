package io.github.urae.flux;

import io.github.urae.flux.model.Component;

/**
 * A prompt that is longer than a text encoder reads. CLIP reads 77 tokens; T5 as many as the
 * request or the checkpoint says. The picture is drawn all the same.
 *
 * @param encoder the text encoder that reads only the beginning; the other may read more
 * @param prompt the whole prompt
 * @param maxTokens tokens that it reads, special ones included
 * @param lost the end of the prompt, which it does not read, as it is spelt there
 */
public record TruncatedPrompt(Component encoder, String prompt, int maxTokens, String lost) {}
