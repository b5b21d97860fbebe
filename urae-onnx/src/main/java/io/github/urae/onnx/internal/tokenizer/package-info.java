/** Text to token ids, exactly as Hugging Face's fast tokenizers for CLIP and T5 do it. */
package io.github.urae.onnx.internal.tokenizer;
