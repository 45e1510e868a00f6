/* What the SDK asks of React Native where there is no phone: which system it runs on. */
exports.Platform = { OS: 'android' }
