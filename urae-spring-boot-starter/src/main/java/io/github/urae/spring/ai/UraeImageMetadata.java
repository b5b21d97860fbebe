package io.github.urae.spring.ai;

import io.github.urae.flux.GenerationRecord;
import org.springframework.ai.image.ImageGenerationMetadata;

/**
 * What a picture was made with.
 *
 * @param record its {@code request()} draws the picture again, to the last bit
 */
public record UraeImageMetadata(GenerationRecord record) implements ImageGenerationMetadata {}
