/* The libraries of the image workers. They are found when a worker starts and by nobody else: no process that holds connections loads a
 * decoder, and a machine without them runs everything but pictures. Functions are called as gm.BlobToImage(…). */
#ifndef BADAL_PICTURE_LIBS_H
#define BADAL_PICTURE_LIBS_H

#include <libheif/heif.h>
#include <lcms2.h>
#include <magick/api.h>
#include <stdbool.h>
#include <webp/demux.h>
#include <webp/encode.h>
#include <webp/mux.h>

#define GM_FUNCTIONS(F) \
	F(AppendImageToList) F(BlobToImage) F(ConstituteImage) F(CropImage) F(DestroyExceptionInfo) F(DestroyImage) F(DestroyImageInfo) F(DestroyImageList) \
	F(CloneImageInfo) F(DispatchImage) F(GetExceptionInfo) F(GetFirstImageInList) F(GetImageProfile) F(GetMagickInfoArray) F(ImageToBlob) F(InitializeMagickEx) \
	F(MagickFree) F(ProfileImage) F(ResizeImage) F(SetErrorHandler) F(SetFatalErrorHandler) F(SetMagickResourceLimit) F(SetWarningHandler) \
	F(TransformColorspace) F(TransparentImage) F(UnregisterMagickInfo)
#define WEBP_FUNCTIONS(F) F(WebPConfigInitInternal) F(WebPPictureInitInternal) F(WebPPictureImportRGBA) F(WebPPictureFree) F(WebPFree)
#define WEBPMUX_FUNCTIONS(F) \
	F(WebPAnimEncoderOptionsInitInternal) F(WebPAnimEncoderNewInternal) F(WebPAnimEncoderAdd) F(WebPAnimEncoderAssemble) F(WebPAnimEncoderDelete)
#define WEBPDEMUX_FUNCTIONS(F) \
	F(WebPAnimDecoderOptionsInitInternal) F(WebPAnimDecoderNewInternal) F(WebPAnimDecoderGetInfo) F(WebPAnimDecoderGetNext) \
	F(WebPAnimDecoderHasMoreFrames) F(WebPAnimDecoderDelete)
#define CMS_FUNCTIONS(F) F(cmsCreate_sRGBProfile) F(cmsSaveProfileToMem) F(cmsCloseProfile)
#define HEIF_FUNCTIONS(F) \
	F(heif_context_alloc) F(heif_context_free) F(heif_context_get_encoder_for_format) F(heif_encoder_release) F(heif_encoder_set_lossy_quality) \
	F(heif_encoder_set_parameter_integer) F(heif_image_create) F(heif_image_add_plane) F(heif_image_get_plane) F(heif_image_release) \
	F(heif_init) F(heif_context_encode_image) F(heif_image_handle_release) F(heif_context_write) F(heif_have_encoder_for_format)

/* name, file, whether pictures can be made without it */
#define PICTURE_LIBS(L)                                       \
	L(gm, "libGraphicsMagick-Q16.so.3", GM_FUNCTIONS)      \
	L(webp, "libwebp.so.7", WEBP_FUNCTIONS)                \
	L(webpmux, "libwebpmux.so.3", WEBPMUX_FUNCTIONS)       \
	L(webpdemux, "libwebpdemux.so.2", WEBPDEMUX_FUNCTIONS) \
	L(cms, "liblcms2.so.2", CMS_FUNCTIONS)                 \
	L(heif, "libheif.so.1", HEIF_FUNCTIONS)

#define LIB_POINTER(f) __typeof__(f) *f;
#define LIB_STRUCT(name, file, functions) \
	extern struct name##_lib {         \
		bool here;                 \
		functions(LIB_POINTER)     \
	} name;
PICTURE_LIBS(LIB_STRUCT)

/* Opens what is installed. False: GraphicsMagick is not, so nothing can be done. */
bool libs_open(void);

#endif
